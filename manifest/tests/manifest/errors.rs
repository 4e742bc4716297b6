//! Every mistake at once, each with its place and the way out.
use crate::support::problems;

#[test]
fn every_mistake_is_told_at_once() {
    let text = r#"name: My Bottle
backend: podman
workspce: .
agent:
  command: claude
  env: { A: 1, B: x, A: y }
  preset: claude-cod
mounts:
  - { mode: ro }
  - { path: ~/missing }
ports: [0, "a:b", 70000]
egress:
  unmatched: ask
  routes:
    - host: https://example.com/path
    - host: api.example.com
      metods: [GET]
    - host: other.example.com
      methods: [get]
      paths: []
    - host: third.example.com
      port: http
      auth: { scheme: bearer, token: { env: A, file: B } }
    - methods: GET
    - host: fourth.example.com
      paths:
      allow_private: yes
time_limit: 10
"#;
    insta::assert_snapshot!(problems(text));
}
