//! Hosts of applications and databases.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("ibm-cloud-api-key", "IBM Cloud", "IBM Cloud API key")
        .seen(&["ibmcloud", "ibm_cloud", "ibm-cloud", "ibm_api", "bluemix"], near!("ibmcloud|ibm_cloud|ibm[-]cloud|ibm_api|bluemix", "[0-9A-Za-z_-]{44}")).part().random(4.0).checked(checks::all_sorts),
    Kind::new("oracle-cloud-auth-token", "Oracle Cloud", "Oracle Cloud customer secret key")
        .seen(&["oci_secret", "oci_customer", "oracle_cloud", "oracle_secret"], near!("oci_secret|oci_customer|oracle_cloud|oracle_secret", "[0-9A-Za-z+/]{43}=")).part().random(4.0),
    Kind::new("linode-token", "Akamai Linode", "Linode personal access token")
        .seen(&["linode"], near!("linode", "[0-9a-f]{64}")).part().random(3.0),
    Kind::new("vultr-api-key", "Vultr", "Vultr API key")
        .seen(&["vultr"], near!("vultr", "[0-9A-Z]{36}")).part().random(3.8),
    Kind::new("hetzner-token", "Hetzner", "Hetzner Cloud API token")
        .seen(&["hcloud", "hetzner"], near!("hcloud|hetzner", "[0-9A-Za-z]{64}")).part().random(4.3),
    Kind::new("cloudflare-api-token", "Cloudflare", "Cloudflare API token")
        .seen(&["cloudflare", "cf_api", "cf-api", "cf_token"], named!("cloudflare|cf[_-](?:api|token)", "[0-9A-Za-z_-]{40}")).part().random(4.0).checked(checks::all_sorts),
    Kind::new("cloudflare-global-key", "Cloudflare", "Cloudflare global API key")
        .seen(&["cloudflare", "x-auth-key", "cf_api"], named!("cloudflare|x-auth|cf_api", "[0-9a-f]{37}")).part().random(3.0),
    Kind::new("cloudflare-origin-ca-key", "Cloudflare", "Cloudflare origin CA key")
        .seen(&["v1.0-"], r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}").alone().random(3.0),
    Kind::new("cloudflare-tunnel-token", "Cloudflare", "Cloudflare tunnel token")
        .seen(&["eyJhIjoi"], "eyJhIjoi[0-9A-Za-z+/]{100,400}={0,2}").random(4.2).checked(checks::cloudflare_tunnel),
    Kind::new("fastly-token", "Fastly", "Fastly API token")
        .seen(&["fastly"], near!("fastly", "[0-9A-Za-z_-]{32}")).part().random(3.9).checked(checks::all_sorts),
    Kind::new("heroku-old-key", "Heroku", "Heroku API key of the old form")
        .seen(&["heroku"], near!("heroku", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")).part().random(2.8),
    Kind::new("heroku-api-key", "Heroku", "Heroku API key")
        .seen(&["HRKU-"], bounded!("HRKU-[0-9A-Za-z_-]{58,60}")).part().alone().random(4.0),
    Kind::new("scaleway-secret-beside-key-id", "Scaleway", "Scaleway secret key beside its access key")
        .seen(&["SCW"], r"SCW[0-9A-Z]{17}[^0-9A-Za-z](?:[\s\S]{0,60}?[^0-9A-Za-z])?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:[^0-9A-Za-z]|\z)").part().alone().random(2.8),
    Kind::new("netlify-nfp", "Netlify", "Netlify personal access token")
        .seen(&["nfp_"], "nfp_[0-9A-Za-z]{36}").alone().random(3.8),
    Kind::new("netlify-nfo", "Netlify", "Netlify OAuth token")
        .seen(&["nfo_"], bounded!("nfo_[0-9A-Za-z]{36}")).part().alone().random(3.8),
    Kind::new("netlify-nfc", "Netlify", "Netlify CLI token")
        .seen(&["nfc_"], bounded!("nfc_[0-9A-Za-z]{36}")).part().alone().random(3.8),
    Kind::new("vercel-personal-token", "Vercel", "Vercel personal access token")
        .seen(&["vcp_"], bounded!("vcp_[0-9A-Za-z]{24,60}")).part().alone().random(3.7),
    Kind::new("vercel-integration-token", "Vercel", "Vercel integration token")
        .seen(&["vci_"], bounded!("vci_[0-9A-Za-z]{24,60}")).part().alone().random(3.7),
    Kind::new("vercel-app-token", "Vercel", "Vercel app access token")
        .seen(&["vca_"], bounded!("vca_[0-9A-Za-z]{24,60}")).part().alone().random(3.7),
    Kind::new("vercel-refresh-token", "Vercel", "Vercel app refresh token")
        .seen(&["vcr_"], bounded!("vcr_[0-9A-Za-z]{24,60}")).part().alone().random(3.7),
    Kind::new("vercel-gateway-key", "Vercel", "Vercel AI Gateway key")
        .seen(&["vck_"], bounded!("vck_[0-9A-Za-z]{24,60}")).part().alone().random(3.7),
    Kind::new("vercel-old-token", "Vercel", "Vercel token of the old form")
        .seen(&["vercel"], near!("vercel", "[0-9A-Za-z]{24}")).part().random(3.7).checked(checks::all_sorts),
    Kind::new("vercel-blob-token", "Vercel", "Vercel Blob read-write token")
        .seen(&["vercel_blob_rw_"], "vercel_blob_rw_[0-9A-Za-z]{16}_[0-9A-Za-z]{30}").random(3.8),
    Kind::new("fly-access-token", "Fly.io", "Fly.io access token")
        .seen(&["fm1a_", "fm1r_", "fm2_"], "fm(?:1[ar]|2)_[0-9A-Za-z+/]{100,2000}={0,3}").alone().longest(2048).random(4.5),
    Kind::new("fly-old-token", "Fly.io", "Fly.io personal token")
        .seen(&["fo1_"], bounded!("fo1_[0-9A-Za-z_-]{43}")).part().alone().random(4.0),
    Kind::new("render-api-key", "Render", "Render API key")
        .seen(&["rnd_"], "rnd_[0-9A-Za-z]{28,36}").alone().random(3.7),
    Kind::new("railway-token", "Railway", "Railway token")
        .seen(&["railway"], near!("railway", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")).part().random(2.8),
    Kind::new("supabase-access-token", "Supabase", "Supabase personal access token")
        .seen(&["sbp_"], "sbp_(?:oauth_|v0_)?[0-9a-f]{40}").alone().random(3.0),
    Kind::new("supabase-secret-key", "Supabase", "Supabase secret key")
        .seen(&["sb_secret_"], "sb_secret_[0-9A-Za-z_-]{30,40}").random(3.6),
    Kind::new("planetscale-password", "PlanetScale", "PlanetScale password")
        .seen(&["pscale_pw_"], "pscale_pw_[0-9A-Za-z_.=-]{32,64}").random(3.6),
    Kind::new("planetscale-token", "PlanetScale", "PlanetScale service token")
        .seen(&["pscale_tkn_"], "pscale_tkn_[0-9A-Za-z_.=-]{32,64}").random(3.6),
    Kind::new("planetscale-oauth-token", "PlanetScale", "PlanetScale OAuth token")
        .seen(&["pscale_oauth_"], "pscale_oauth_[0-9A-Za-z_.=-]{32,64}").random(3.6),
    Kind::new("neon-api-key", "Neon", "Neon API key")
        .seen(&["napi_"], "napi_[0-9a-z]{64}").alone().random(4.0),
    Kind::new("yandex-cloud-api-key", "Yandex", "Yandex Cloud API key")
        .seen(&["AQVN"], bounded!("AQVN[0-9A-Za-z_-]{35,38}")).part().alone().random(4.0),
    Kind::new("yandex-iam-token", "Yandex", "Yandex Cloud IAM token")
        .seen(&["t1."], r"t1\.[0-9A-Za-z_-]{60,500}={0,2}\.[0-9A-Za-z_-]{86}={0,2}").alone().longest(1024).random(4.2),
    Kind::new("yandex-oauth-token", "Yandex", "Yandex OAuth token")
        .seen(&["y0_"], bounded!("y0_[0-9A-Za-z_-]{55,80}")).part().alone().random(4.0),
    Kind::new("backblaze-key", "Backblaze", "Backblaze B2 application key")
        .seen(&["backblaze", "b2_application", "b2_app", "applicationkey"], near!("backblaze|b2_application|b2_app|applicationkey", "K00[0-9A-Za-z/+]{28}")).part().random(3.8),
];
