//! Logs, metrics and alarms.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("datadog-api-key", "Datadog", "Datadog API key")
        .seen(&["datadog", "dd_api", "dd-api"], named!("datadog[_-]?api|dd[_-]api", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("datadog-app-key", "Datadog", "Datadog application key")
        .seen(&["datadog", "dd_app", "dd-app"], named!("datadog[_-]?app|dd[_-]app", "[0-9a-f]{40}"))
        .part()
        .random(3.0),
    Kind::new("newrelic-user-key", "New Relic", "New Relic user key")
        .seen(&["NRAK-"], "NRAK-[0-9A-Z]{27}")
        .random(3.0),
    Kind::new("newrelic-insights-key", "New Relic", "New Relic insert key")
        .seen(&["NRII-"], bounded!("NRII-[0-9A-Za-z_-]{32}"))
        .part()
        .alone()
        .random(3.0),
    Kind::new("newrelic-admin-key", "New Relic", "New Relic REST admin key")
        .seen(&["NRRA-"], "NRRA-[0-9a-f]{42}")
        .random(3.0),
    Kind::new("newrelic-licence-key", "New Relic", "New Relic licence key")
        .seen(&["NRAL"], "[0-9a-f]{36}(?:FFFF)?NRAL")
        .lead(40)
        .random(3.0),
    Kind::new("sentry-organisation-token", "Sentry", "Sentry organisation auth token")
        .seen(&["sntrys_eyJ"], "sntrys_eyJ[0-9A-Za-z+/=]{60,400}_[0-9A-Za-z+/]{43}")
        .random(4.0),
    Kind::new("sentry-user-token", "Sentry", "Sentry user auth token")
        .seen(&["sntryu_", "sntrya_", "sntryi_"], "sntry[uai]_[0-9a-f]{64}")
        .random(3.0),
    Kind::new("grafana-service-account-token", "Grafana", "Grafana service account token")
        .seen(&["glsa_"], "glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}")
        .checked(checks::grafana),
    Kind::new("grafana-cloud-token", "Grafana", "Grafana Cloud access policy token")
        .seen(&["glc_eyJ"], "glc_eyJ[0-9A-Za-z+/]{60,400}={0,2}")
        .random(4.0),
    Kind::new("grafana-old-key", "Grafana", "Grafana API key of the old form")
        .seen(&["eyJrIjoi"], "eyJrIjoi[0-9A-Za-z+/]{70,400}={0,2}")
        .random(4.0),
    Kind::new("honeycomb-key", "Honeycomb", "Honeycomb ingest or management key")
        .seen(&["hcaik_", "hcxik_", "hcbik_", "hcalk_", "hcamk_"], "hc[abx][ilm]k_[0-9a-z]{58}")
        .random(3.6),
    Kind::new("honeycomb-old-key", "Honeycomb", "Honeycomb API key of the old form")
        .seen(&["honeycomb"], near!("honeycomb", "[0-9A-Za-z]{22}"))
        .part()
        .random(3.6)
        .checked(checks::all_sorts),
    Kind::new("pagerduty-key", "PagerDuty", "PagerDuty API key")
        .seen(&["pagerduty"], near!("pagerduty", r"(?:u\+)?[0-9A-Za-z_+-]{18,20}"))
        .part()
        .random(3.2)
        .checked(checks::all_sorts),
    Kind::new("opsgenie-key", "Opsgenie", "Opsgenie API key")
        .seen(
            &["opsgenie"],
            near!("opsgenie", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        )
        .part()
        .random(2.8),
    Kind::new("rollbar-token", "Rollbar", "Rollbar access token")
        .seen(&["rollbar"], near!("rollbar", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("splunk-hec-token", "Splunk", "Splunk HTTP event collector token")
        .seen(&["splunk"], near!("splunk", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"))
        .part()
        .random(2.8),
    Kind::new("splunk-hec-header", "Splunk", "Splunk HTTP event collector token in a header")
        .seen(
            &["Authorization: Splunk "],
            "(?i:authorization: splunk) ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
        )
        .part()
        .random(2.8),
    Kind::new("dynatrace-token", "Dynatrace", "Dynatrace API token")
        .seen(&["dt0c01."], r"dt0[a-z][0-9]{2}\.[A-Z2-7]{24}\.[A-Z2-7]{64}")
        .alone()
        .random(4.0),
    Kind::new("axiom-token", "Axiom", "Axiom API or personal token")
        .seen(&["xaat-", "xapt-"], "xa[ap]t-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
        .alone()
        .random(2.8),
    Kind::new("posthog-personal-key", "PostHog", "PostHog personal API key")
        .seen(&["phx_"], "phx_[0-9A-Za-z]{43,60}")
        .alone()
        .random(4.0),
    Kind::new("checkly-key", "Checkly", "Checkly API key")
        .seen(&["cu_"], r"(cu_[0-9a-f]{32})(?:[^0-9A-Za-z_]|\z)")
        .part()
        .alone()
        .random(3.0),
    Kind::new("prefect-key", "Prefect", "Prefect API key")
        .seen(&["pnu_", "pnb_"], bounded!("pn[ub]_[0-9A-Za-z]{36}"))
        .part()
        .alone()
        .random(3.6),
    Kind::new("amplitude-secret", "Amplitude", "Amplitude secret key")
        .seen(&["amplitude"], near!("amplitude", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("mixpanel-secret", "Mixpanel", "Mixpanel secret")
        .seen(&["mixpanel"], near!("mixpanel", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("bugsnag-token", "Bugsnag", "Bugsnag token")
        .seen(&["bugsnag"], near!("bugsnag", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("sumologic-key", "Sumo Logic", "Sumo Logic access key")
        .seen(&["sumo"], near!("sumo", "[0-9A-Za-z]{64}"))
        .part()
        .random(4.3)
        .checked(checks::all_sorts),
];
