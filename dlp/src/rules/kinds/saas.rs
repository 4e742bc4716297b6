//! Services that are bought by companies, and how their secrets are kept.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("shopify-admin-token", "Shopify", "Shopify admin API token")
        .seen(&["shpat_"], "shpat_[0-9a-fA-F]{32}")
        .random(3.0),
    Kind::new("shopify-custom-app-token", "Shopify", "Shopify custom app token")
        .seen(&["shpca_"], "shpca_[0-9a-fA-F]{32}")
        .random(3.0),
    Kind::new("shopify-private-app-password", "Shopify", "Shopify private app password")
        .seen(&["shppa_"], "shppa_[0-9a-fA-F]{32}")
        .random(3.0),
    Kind::new("shopify-shared-secret", "Shopify", "Shopify shared secret")
        .seen(&["shpss_"], "shpss_[0-9a-fA-F]{32}")
        .random(3.0),
    Kind::new("shopify-user-token", "Shopify", "Shopify user token")
        .seen(&["shpua_"], "shpua_[0-9a-fA-F]{32}")
        .random(3.0),
    Kind::new("atlassian-api-token", "Atlassian", "Atlassian API token")
        .seen(&["ATATT3xFfGF0"], "ATATT3xFfGF0[0-9A-Za-z_=-]{120,300}[=][0-9A-F]{8}")
        .random(4.2),
    Kind::new("atlassian-access-token", "Atlassian", "Atlassian or Bitbucket access token")
        .seen(&["ATCTT3xFfGN0", "ATSTT3xFfGN0"], "AT[CS]TT3xFfGN0[0-9A-Za-z_=-]{120,300}[=][0-9A-F]{8}")
        .random(4.2),
    Kind::new("atlassian-old-token", "Atlassian", "Atlassian API token of the old form")
        .seen(&["atlassian", "jira", "confluence"], near!("atlassian|jira|confluence", "[0-9A-Za-z]{24}"))
        .part()
        .random(3.7)
        .checked(checks::all_sorts),
    Kind::new("notion-token", "Notion", "Notion integration token")
        .seen(&["ntn_"], "ntn_[0-9]{11}[0-9A-Za-z]{35}")
        .alone()
        .random(3.8),
    Kind::new("notion-old-token", "Notion", "Notion integration token of the old form")
        .seen(&["secret_"], r"(secret_[0-9A-Za-z]{43})(?:[^0-9A-Za-z_]|\z)")
        .part()
        .alone()
        .random(4.2)
        .checked(checks::all_sorts),
    Kind::new("linear-key", "Linear", "Linear API key")
        .seen(&["lin_api_"], "lin_api_[0-9A-Za-z]{40}")
        .random(3.8),
    Kind::new("linear-oauth-token", "Linear", "Linear OAuth token")
        .seen(&["lin_oauth_"], "lin_oauth_[0-9a-f]{64}")
        .random(3.0),
    Kind::new("linear-webhook-secret", "Linear", "Linear webhook secret")
        .seen(&["lin_wh_"], "lin_wh_[0-9A-Za-z]{20,45}")
        .random(3.6),
    Kind::new("figma-token", "Figma", "Figma personal access token")
        .seen(&["figd_", "figo_"], "fig[do]_[0-9A-Za-z_-]{40}")
        .alone()
        .random(3.8),
    Kind::new("airtable-token", "Airtable", "Airtable personal access token")
        .seen(&["pat"], r"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}")
        .alone()
        .random(3.4),
    Kind::new("airtable-old-key", "Airtable", "Airtable API key of the old form")
        .seen(&["airtable"], near!("airtable", "key[0-9A-Za-z]{14}"))
        .part()
        .random(3.2)
        .checked(checks::all_sorts),
    Kind::new("asana-token", "Asana", "Asana personal access token")
        .seen(&["asana"], near!("asana", "[012]/[0-9]{15,17}(?:/[0-9]{15,17})?:[0-9a-f]{32}"))
        .part()
        .random(3.2),
    Kind::new("hubspot-token", "HubSpot", "HubSpot private app token")
        .seen(
            &["pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"],
            "pat-(?:na|eu|ap)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        )
        .alone()
        .random(2.8),
    Kind::new("salesforce-session", "Salesforce", "Salesforce access token")
        .seen(&["00D"], "00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{80,200}")
        .alone()
        .random(4.2),
    Kind::new("zendesk-token", "Zendesk", "Zendesk API token")
        .seen(&["zendesk"], near!("zendesk", "[0-9A-Za-z]{40}"))
        .part()
        .random(4.0)
        .checked(checks::all_sorts),
    Kind::new("okta-token", "Okta", "Okta API token")
        .seen(&["okta"], near!("okta", "00[0-9A-Za-z_-]{40}"))
        .part()
        .random(4.0),
    Kind::new("okta-ssws-header", "Okta", "Okta API token in a header")
        .seen(&["SSWS "], "SSWS (00[0-9A-Za-z_-]{40})")
        .part()
        .random(4.0),
    Kind::new("auth0-client-secret", "Auth0", "Auth0 client secret")
        .seen(&["auth0"], near!("auth0", "[0-9A-Za-z_-]{64}"))
        .part()
        .random(4.4)
        .checked(checks::all_sorts),
    Kind::new("dropbox-short-token", "Dropbox", "Dropbox short-lived access token")
        .seen(&["sl."], r"sl\.(?:u\.)?[0-9A-Za-z_-]{130,1500}")
        .alone()
        .longest(1600)
        .random(4.5),
    Kind::new("dropbox-secret", "Dropbox", "Dropbox app secret")
        .seen(&["dropbox"], near!("dropbox", "[0-9a-z]{15}"))
        .part()
        .random(3.0)
        .checked(checks::letters_and_digits),
    Kind::new("box-client-secret", "Box", "Box client secret")
        .seen(&["box_client", "boxapp"], near!("box_client|boxapp", "[0-9A-Za-z]{32}"))
        .part()
        .random(3.9)
        .checked(checks::all_sorts),
    Kind::new("algolia-admin-key", "Algolia", "Algolia admin key")
        .seen(&["algolia"], named!("algolia[_-]?(?:api|admin|write)", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("confluent-secret", "Confluent", "Confluent Cloud API secret")
        .seen(&["confluent"], near!("confluent", "(?:cflt[0-9A-Za-z+/]{60}|[0-9A-Za-z+/]{64})"))
        .part()
        .random(4.3)
        .checked(checks::all_sorts),
    Kind::new("doppler-personal-token", "Doppler", "Doppler personal token")
        .seen(&["dp.pt."], r"dp\.pt\.[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("doppler-cli-token", "Doppler", "Doppler CLI token")
        .seen(&["dp.ct."], r"dp\.ct\.[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("doppler-service-account-token", "Doppler", "Doppler service account token")
        .seen(&["dp.sa."], r"dp\.sa\.[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("doppler-scim-token", "Doppler", "Doppler SCIM token")
        .seen(&["dp.scim."], r"dp\.scim\.[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("doppler-audit-token", "Doppler", "Doppler audit token")
        .seen(&["dp.audit."], r"dp\.audit\.[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("doppler-service-token", "Doppler", "Doppler service token")
        .seen(&["dp.st."], r"dp\.st\.(?:[0-9a-z_-]{2,35}\.)?[0-9A-Za-z]{40,44}")
        .alone()
        .random(3.9),
    Kind::new("vault-service-token", "HashiCorp", "Vault service token")
        .seen(&["hvs."], r"hvs\.[0-9A-Za-z_-]{24,300}")
        .alone()
        .random(3.6),
    Kind::new("vault-batch-token", "HashiCorp", "Vault batch token")
        .seen(&["hvb."], r"hvb\.[0-9A-Za-z_-]{100,300}")
        .alone()
        .random(3.6),
    Kind::new("vault-recovery-token", "HashiCorp", "Vault recovery token")
        .seen(&["hvr."], r"hvr\.[0-9A-Za-z_-]{24,300}")
        .alone()
        .random(3.6),
    Kind::new("vault-old-token", "HashiCorp", "Vault token of the old form")
        .seen(&["vault"], near!("vault", r"s\.[0-9A-Za-z]{24}"))
        .part()
        .random(3.7)
        .checked(checks::all_sorts),
    Kind::new("consul-token", "HashiCorp", "Consul token")
        .seen(&["consul"], near!("consul", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"))
        .part()
        .random(2.8),
    Kind::new("nomad-token", "HashiCorp", "Nomad token")
        .seen(&["nomad"], near!("nomad", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"))
        .part()
        .random(2.8),
    Kind::new("onepassword-service-token", "1Password", "1Password service account token")
        .seen(&["ops_eyJ"], "ops_eyJ[0-9A-Za-z+/_-]{200,1000}={0,3}")
        .longest(1100)
        .random(4.2),
    Kind::new("onepassword-secret-key", "1Password", "1Password secret key")
        .seen(
            &["A3-"],
            "A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}",
        )
        .alone()
        .random(3.4),
];
