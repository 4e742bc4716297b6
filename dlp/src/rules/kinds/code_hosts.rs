//! Hosts of code and what builds it.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("github-personal-token", "GitHub", "GitHub classic personal access token")
        .seen(&["ghp_"], "ghp_[0-9A-Za-z]{36}")
        .checked(checks::github),
    Kind::new("github-oauth-token", "GitHub", "GitHub OAuth access token")
        .seen(&["gho_"], "gho_[0-9A-Za-z]{36}")
        .checked(checks::github),
    Kind::new("github-user-token", "GitHub", "GitHub App user token")
        .seen(&["ghu_"], "ghu_[0-9A-Za-z]{36}")
        .checked(checks::github),
    Kind::new("github-installation-token", "GitHub", "GitHub App installation token")
        .seen(&["ghs_"], "ghs_[0-9A-Za-z]{36}")
        .checked(checks::github),
    Kind::new("github-refresh-token", "GitHub", "GitHub App refresh token")
        .seen(&["ghr_"], "ghr_[0-9A-Za-z]{36}")
        .checked(checks::github),
    Kind::new("github-stateless-token", "GitHub", "GitHub App installation token that is a JWT")
        .seen(
            &["ghs_"],
            r"ghs_[0-9]{1,12}_eyJ[0-9A-Za-z_-]{20,400}\.eyJ[0-9A-Za-z_-]{20,1500}\.[0-9A-Za-z_-]{43,700}",
        )
        .longest(4096)
        .random(4.0),
    Kind::new("github-fine-grained-token", "GitHub", "GitHub fine-grained personal access token")
        .seen(&["github_pat_"], "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}")
        .random(4.0),
    Kind::new("gitlab-personal-token", "GitLab", "GitLab personal, project or group access token")
        .seen(&["glpat-"], "glpat-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-deploy-token", "GitLab", "GitLab deploy token")
        .seen(&["gldt-"], "gldt-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-runner-token", "GitLab", "GitLab runner token")
        .seen(&["glrt-"], "glrt-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-runner-registration-token", "GitLab", "GitLab runner registration token")
        .seen(&["glrtr-"], "glrtr-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-job-token", "GitLab", "GitLab CI job token")
        .seen(&["glcbt-"], "glcbt-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-trigger-token", "GitLab", "GitLab pipeline trigger token")
        .seen(&["glptt-"], "glptt-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-feed-token", "GitLab", "GitLab feed token")
        .seen(&["glft-"], "glft-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-mail-token", "GitLab", "GitLab incoming mail token")
        .seen(&["glimt-"], "glimt-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-agent-token", "GitLab", "GitLab agent token")
        .seen(&["glagent-"], "glagent-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-oauth-secret", "GitLab", "GitLab OAuth application secret")
        .seen(&["gloas-"], "gloas-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-scim-token", "GitLab", "GitLab SCIM token")
        .seen(&["glsoat-"], "glsoat-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-feature-flags-token", "GitLab", "GitLab feature flags client token")
        .seen(&["glffct-"], "glffct-[0-9A-Za-z_.-]{20,120}")
        .alone()
        .random(3.2),
    Kind::new("gitlab-old-runner-token", "GitLab", "GitLab runner registration token of the old form")
        .seen(&["GR1348941"], "GR1348941[0-9A-Za-z_-]{20}")
        .random(3.4),
    Kind::new("bitbucket-app-password", "Bitbucket", "Bitbucket app password")
        .seen(&["ATBB"], "ATBB[0-9A-Za-z]{24}[0-9A-F]{8}")
        .alone()
        .random(3.6),
    Kind::new("bitbucket-client-secret", "Bitbucket", "Bitbucket OAuth client secret")
        .seen(&["bitbucket"], near!("bitbucket", "[0-9A-Za-z]{32}"))
        .part()
        .random(3.9)
        .checked(checks::all_sorts),
    Kind::new("gitea-token", "Gitea, Forgejo, Gogs", "Gitea, Forgejo or Gogs access token")
        .seen(&["gitea", "forgejo", "gogs"], near!("gitea|forgejo|gogs", "[0-9a-f]{40}"))
        .part()
        .random(3.0),
    Kind::new("sourcegraph-token", "Sourcegraph", "Sourcegraph access token")
        .seen(&["sgp_"], "sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}")
        .alone()
        .random(3.0),
    Kind::new("circleci-personal-token", "CircleCI", "CircleCI personal API token")
        .seen(&["CCIPAT_"], "CCIPAT_[0-9A-Za-z]{22}_[0-9a-f]{40}")
        .random(3.2),
    Kind::new("circleci-project-token", "CircleCI", "CircleCI project API token")
        .seen(&["CCIPRJ_"], "CCIPRJ_[0-9A-Za-z]{22}_[0-9a-f]{40}")
        .random(3.2),
    Kind::new("travis-token", "Travis CI", "Travis CI API token")
        .seen(&["travis"], near!("travis", "[0-9A-Za-z_-]{22}"))
        .part()
        .random(3.6)
        .checked(checks::all_sorts),
    Kind::new("buildkite-user-token", "Buildkite", "Buildkite API access token")
        .seen(&["bkua_"], "bkua_[0-9a-f]{40}")
        .random(3.0),
    Kind::new("buildkite-agent-token", "Buildkite", "Buildkite agent token")
        .seen(&["bkct_"], "bkct_[0-9A-Za-z_-]{40,200}")
        .alone()
        .random(3.8),
    Kind::new("sonar-project-token", "SonarQube", "SonarQube project analysis token")
        .seen(&["sqp_"], "sqp_[0-9a-f]{40}")
        .alone()
        .random(3.0),
    Kind::new("sonar-user-token", "SonarQube", "SonarQube user token")
        .seen(&["squ_"], "squ_[0-9a-f]{40}")
        .alone()
        .random(3.0),
    Kind::new("sonar-global-token", "SonarQube", "SonarQube global analysis token")
        .seen(&["sqa_"], "sqa_[0-9a-f]{40}")
        .alone()
        .random(3.0),
    Kind::new("snyk-token", "Snyk", "Snyk API token")
        .seen(&["snyk"], near!("snyk", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"))
        .part()
        .random(2.8),
    Kind::new("codecov-token", "Codecov", "Codecov upload token")
        .seen(&["codecov"], near!("codecov", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"))
        .part()
        .random(2.8),
    Kind::new("jenkins-token", "Jenkins", "Jenkins API token")
        .seen(&["jenkins"], near!("jenkins", "11[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("drone-token", "Drone", "Drone CI token")
        .seen(&["drone"], near!("drone", "[0-9A-Za-z]{32}"))
        .part()
        .random(3.9)
        .checked(checks::all_sorts),
    Kind::new("harness-token", "Harness", "Harness access token")
        .seen(&["pat.", "sat."], r"[ps]at\.[0-9A-Za-z_-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20}")
        .alone()
        .random(3.6),
    Kind::new("launchdarkly-access-token", "LaunchDarkly", "LaunchDarkly access token")
        .seen(&["api-"], "api-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
        .alone()
        .random(2.8),
    Kind::new("launchdarkly-sdk-key", "LaunchDarkly", "LaunchDarkly server SDK key")
        .seen(&["sdk-"], "sdk-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
        .alone()
        .random(2.8),
];
