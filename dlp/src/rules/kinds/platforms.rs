//! Services for developers, identity and data.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("tailscale-auth-key", "Tailscale", "Tailscale auth key")
        .seen(&["tskey-auth-"], "tskey-auth-[0-9A-Za-z]{8,24}CNTRL-[0-9A-Za-z]{20,48}")
        .random(3.6),
    Kind::new("tailscale-api-key", "Tailscale", "Tailscale API key")
        .seen(&["tskey-api-"], "tskey-api-[0-9A-Za-z]{8,24}CNTRL-[0-9A-Za-z]{20,48}")
        .random(3.6),
    Kind::new("tailscale-client-secret", "Tailscale", "Tailscale OAuth client secret")
        .seen(&["tskey-client-"], "tskey-client-[0-9A-Za-z]{8,24}CNTRL-[0-9A-Za-z]{20,48}")
        .random(3.6),
    Kind::new("tailscale-scim-key", "Tailscale", "Tailscale SCIM key")
        .seen(&["tskey-scim-"], "tskey-scim-[0-9A-Za-z]{8,24}CNTRL-[0-9A-Za-z]{20,48}")
        .random(3.6),
    Kind::new("tailscale-webhook-secret", "Tailscale", "Tailscale webhook secret")
        .seen(&["tskey-webhook-"], "tskey-webhook-[0-9A-Za-z]{8,24}CNTRL-[0-9A-Za-z]{20,48}")
        .random(3.6),
    Kind::new("ngrok-token", "ngrok", "ngrok auth token or API key")
        .seen(&["ngrok", "authtoken"], named!("ngrok|authtoken", "[23][0-9A-Za-z]{26}_[0-9A-Za-z]{20,24}"))
        .part()
        .random(4.0),
    Kind::new("postman-key", "Postman", "Postman API key")
        .seen(&["PMAK-"], "PMAK-[0-9a-f]{24}-[0-9a-f]{34}")
        .random(3.0),
    Kind::new("readme-key", "ReadMe", "ReadMe API key").seen(&["rdme_"], "rdme_[0-9a-z]{70}").random(3.6),
    Kind::new("contentful-token", "Contentful", "Contentful personal access token")
        .seen(&["CFPAT-"], "CFPAT-[0-9A-Za-z_-]{43}")
        .random(4.0),
    Kind::new("typeform-token", "Typeform", "Typeform personal access token")
        .seen(&["tfp_"], bounded!("tfp_[0-9A-Za-z_-]{40,60}(?:_[0-9A-Za-z]{10,20})?"))
        .part()
        .alone()
        .random(4.0),
    Kind::new("clickup-token", "ClickUp", "ClickUp personal token")
        .seen(&["pk_"], "pk_[0-9]{5,10}_[0-9A-Z]{32}")
        .alone()
        .random(3.6),
    Kind::new("trello-token", "Atlassian", "Trello token")
        .seen(&["ATTA"], "ATTA[0-9A-Za-z]{64}[0-9A-F]{8}")
        .alone()
        .random(3.4),
    Kind::new("retool-token", "Retool", "Retool API token")
        .seen(&["retool_"], "retool_01[0-9a-z]{24,40}")
        .random(3.6),
    Kind::new("mapbox-secret-token", "Mapbox", "Mapbox secret token")
        .seen(&["sk.eyJ"], r"sk\.eyJ[0-9A-Za-z_-]{40,200}\.[0-9A-Za-z_-]{22}")
        .alone()
        .random(4.0),
    Kind::new("adobe-client-secret", "Adobe", "Adobe client secret")
        .seen(&["p8e-"], bounded!("p8e-[0-9A-Za-z_-]{32}"))
        .part()
        .alone()
        .random(3.6),
    Kind::new("twitter-bearer-token", "X (Twitter)", "X (Twitter) app-only bearer token")
        .seen(
            &["AAAAAAAAAAAAAAAAAAAAA"],
            "A{20,22}([0-9A-Za-z]{9,14}(?:%2[Bb]|[0-9A-Za-z]){20,30}(?:%3[Dd]|=)[0-9A-Za-z]{40,60})",
        )
        .part()
        .alone()
        .random(3.4)
        .checked(checks::bearer_of_x),
    Kind::new("facebook-access-token", "Meta", "Facebook access token")
        .seen(
            &["EAACEdEose0cBA", "EAAB", "EAAC", "EAAD", "EAAE", "EAAG", "EAAJ", "EAAM", "EAAT"],
            "EAA[A-Z][0-9A-Za-z]{90,500}",
        )
        .alone()
        .random(4.2)
        .checked(checks::all_sorts),
    Kind::new("instagram-token", "Meta", "Instagram access token")
        .seen(&["IGQV", "IGQW"], bounded!("IGQ[VW][0-9A-Za-z_-]{100,250}"))
        .part()
        .alone()
        .random(4.2),
    Kind::new("twitch-secret", "Twitch", "Twitch client secret or token")
        .seen(&["twitch"], near!("twitch", "[0-9a-z]{30}"))
        .part()
        .random(3.6)
        .checked(checks::letters_and_digits),
    Kind::new("spotify-secret", "Spotify", "Spotify client secret")
        .seen(&["spotify"], near!("spotify", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("linkedin-secret", "LinkedIn", "LinkedIn client secret")
        .seen(&["linkedin"], near!("linkedin", r"WPL_AP[01]\.[0-9A-Za-z]{16}\.[0-9A-Za-z+/=]{6,10}"))
        .part()
        .random(3.4),
    Kind::new("lichess-token", "Lichess", "Lichess personal token")
        .seen(&["lip_"], bounded!("lip_[0-9A-Za-z]{20}"))
        .part()
        .alone()
        .random(3.6),
    Kind::new("cloudinary-url", "Cloudinary", "Cloudinary API secret in a URL")
        .seen(&["cloudinary://"], "cloudinary://[0-9]{12,18}:([0-9A-Za-z_-]{20,40})@")
        .part()
        .random(3.6),
    Kind::new("pubnub-secret-key", "PubNub", "PubNub secret key")
        .seen(&["sec-c-"], "sec-c-[0-9A-Za-z]{48}")
        .alone()
        .random(4.0),
    Kind::new("liveblocks-key", "Liveblocks", "Liveblocks secret key")
        .seen(&["sk_prod_", "sk_dev_"], "sk_(?:prod|dev)_[0-9A-Za-z_-]{40,80}")
        .alone()
        .random(4.0),
    Kind::new("zuplo-key", "Zuplo", "Zuplo API key")
        .seen(&["zpka_"], "zpka_[0-9a-z]{32}_[0-9a-f]{8}")
        .alone()
        .random(3.6),
    Kind::new("dbt-token", "dbt Cloud", "dbt Cloud token")
        .seen(&["dbtc_", "dbtu_"], "dbt[cu]_[0-9A-Za-z_-]{40,70}=?")
        .alone()
        .random(4.0),
    Kind::new("openshift-token", "OpenShift", "OpenShift user token")
        .seen(&["sha256~"], "sha256~[0-9A-Za-z_-]{43}")
        .random(4.0),
    Kind::new("rancher-token", "Rancher", "Rancher API token")
        .seen(&["rancher"], near!("rancher", "token-[0-9a-z]{5}:[0-9a-z]{54}"))
        .part()
        .random(3.6),
    Kind::new("kubeadm-token", "Kubernetes", "kubeadm bootstrap token")
        .seen(
            &["kubeadm", "bootstrap-token"],
            near!("kubeadm|bootstrap[-]token", r"[0-9a-z]{6}\.[0-9a-z]{16}"),
        )
        .part()
        .random(3.2)
        .checked(checks::letters_and_digits),
    Kind::new("kubeconfig-client-key", "Kubernetes", "Client key in a kubeconfig")
        .seen(
            &["client-key-data"],
            r"client-key-data[\x22']?:\s{0,4}[\x22']?(LS0tLS1CRUdJTi[0-9A-Za-z+/=]{100,6000})",
        )
        .part()
        .longest(6100)
        .random(4.0),
    Kind::new("stytch-secret", "Stytch", "Stytch secret")
        .seen(&["secret-live-", "secret-test-"], "secret-(?:live|test)-[0-9A-Za-z_-]{36}=")
        .alone()
        .random(3.9),
    Kind::new("ory-token", "Ory", "Ory API key or token")
        .seen(&["ory_pat_", "ory_at_", "ory_rt_"], "ory_(?:pat|at|rt)_[0-9A-Za-z_.-]{32,120}")
        .random(3.6),
    Kind::new("infura-secret", "Infura", "Infura project secret")
        .seen(&["infura"], near!("infura", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("snowflake-password", "Snowflake", "Snowflake password")
        .seen(&["snowflake_password", "snowflake_pwd"], named!("snowflake_p", "[!-~]{8,64}"))
        .part()
        .random(2.9)
        .checked(checks::password),
    Kind::new("nexus-pass-code", "Sonatype", "Nexus user token pass code")
        .seen(&["nexus"], near!("nexus", "[0-9A-Za-z+/_-]{44}"))
        .part()
        .random(4.0)
        .checked(checks::all_sorts),
    Kind::new("miro-token", "Miro", "Miro access token")
        .seen(&["miro_"], near!("miro_", "eyJ[0-9A-Za-z_-]{27,300}"))
        .part()
        .random(3.8),
    Kind::new("smartsheet-token", "Smartsheet", "Smartsheet token")
        .seen(&["smartsheet"], near!("smartsheet", "[0-9A-Za-z]{37}"))
        .part()
        .random(3.9)
        .checked(checks::all_sorts),
    Kind::new("unkey-root-key", "Unkey", "Unkey root key")
        .seen(&["unkey_"], "unkey_[0-9A-Za-z]{20,40}")
        .random(3.6),
];
