//! From the table of system calls to filters: three programs, of whose answers the kernel takes the strictest.
use super::syscalls::{
    ALLOWED, CLONE_NAMESPACES, Group, HOLDER, PERSONALITY_QUERY, REFUSED_IOCTLS, REFUSED_PERSONALITIES,
    REFUSED_SOCKETS, SOCKET_FAMILIES, TRIED_FIRST, Test,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde_json::json;
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The programs, to be applied in any order. Calls of another architecture kill the process.
pub(crate) fn programs() -> Result<[BpfProgram; 3], seccompiler::BackendError> {
    use SeccompAction::{Allow, Errno};
    Ok([
        program(known_calls(ALLOWED), Errno(errno(libc::ENOSYS)), Allow)?,
        program(refused_arguments()?, Allow, Errno(errno(libc::EPERM)))?,
        program(refused_sockets()?, Allow, Errno(errno(libc::EAFNOSUPPORT)))?,
    ])
}

/// The one program of a holder: its few calls, and nothing else.
pub(crate) fn holder() -> Result<BpfProgram, seccompiler::BackendError> {
    program(known_calls(HOLDER), SeccompAction::Errno(errno(libc::EPERM)), SeccompAction::Allow)
}

/// The same table for a container engine, in the JSON of its `seccomp=` option. That form has one test for an argument and
/// only says what is allowed, so that of the arguments' tests those are here that keep processes in their namespaces and
/// sockets in their network: no vsock, whose packets no network namespace holds, and no `io_uring`, which is no call of the
/// table. Terminals are the engine's own and nobody else's.
pub(crate) fn profile(arch: &str) -> Option<String> {
    let arch = match arch {
        "x86_64" => "SCMP_ARCH_X86_64",
        "aarch64" => "SCMP_ARCH_AARCH64",
        _ => return None,
    };
    const TESTED: [&str; 4] = ["socket", "socketpair", "clone", "personality"];
    let names: Vec<&str> = names_of(ALLOWED).filter(|name| !TESTED.contains(name)).collect();
    let equal =
        |call: &str, value: u64| allow(call, &json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" }));
    let namespaces = CLONE_NAMESPACES.iter().fold(0, |all, flag| all | flag);
    let same = json!({ "index": 0, "value": namespaces, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" });
    let mut rules = vec![json!({ "names": names, "action": "SCMP_ACT_ALLOW" }), allow("clone", &same)];
    rules.extend(SOCKET_FAMILIES.iter().map(|family| equal("socket", *family)));
    rules.push(equal("socketpair", 1));
    // As they are, 32-bit, without randomness, both, and the question.
    rules.extend(
        [0, 8, 0x2_0000, 0x4_0000, 0x2_0008, PERSONALITY_QUERY].map(|bits| equal("personality", bits)),
    );
    let known = |name: &&&str| !names_of(ALLOWED).any(|known| known == **name);
    let absent: Vec<&&str> = TRIED_FIRST.iter().filter(known).collect();
    rules.push(json!({ "names": absent, "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }));
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::ENOSYS,
        "architectures": [arch],
        "syscalls": rules,
    });
    Some(profile.to_string())
}

fn names_of(groups: &'static [Group]) -> impl Iterator<Item = &'static str> {
    let calls = groups.iter().flat_map(|group| group.calls.iter().chain(group.older));
    calls.map(|(name, _)| name.trim_start_matches("SYS_"))
}

fn allow(call: &str, test: &serde_json::Value) -> serde_json::Value {
    json!({ "names": [call], "action": "SCMP_ACT_ALLOW", "args": [test] })
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

fn errno(code: i32) -> u32 {
    code.unsigned_abs()
}

fn known_calls(groups: &[Group]) -> Rules {
    let calls = groups.iter().flat_map(|group| group.calls.iter().chain(group.older));
    calls.map(|(_, number)| (*number, Vec::new())).collect()
}

fn refused_arguments() -> Result<Rules, seccompiler::BackendError> {
    let namespaces = CLONE_NAMESPACES.iter().map(|flag| rule(&[(0, Test::Bits(*flag))]));
    let ioctls = REFUSED_IOCTLS.iter().map(|(_, request, _)| rule(&[(1, Test::Is(*request))]));
    let personalities = REFUSED_PERSONALITIES
        .iter()
        .map(|(_, bit, _)| rule(&[(0, Test::Bits(*bit)), (0, Test::Not(PERSONALITY_QUERY))]));
    Ok(Rules::from([
        (libc::SYS_clone, namespaces.collect::<Result<_, _>>()?),
        (libc::SYS_ioctl, ioctls.collect::<Result<_, _>>()?),
        (libc::SYS_personality, personalities.collect::<Result<_, _>>()?),
    ]))
}

fn refused_sockets() -> Result<Rules, seccompiler::BackendError> {
    let rules = REFUSED_SOCKETS.iter().map(|refused| rule(refused.tests)).collect::<Result<_, _>>()?;
    let pairs = vec![rule(&[(0, Test::Not(1))])?];
    Ok(Rules::from([(libc::SYS_socket, rules), (libc::SYS_socketpair, pairs)]))
}

/// All tests of a rule must hold. The kernel reads these arguments as 32-bit numbers, and so do the tests.
fn rule(tests: &[(u8, Test)]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(
        tests.iter().map(|(argument, test)| condition(*argument, *test)).collect::<Result<_, _>>()?,
    )
}

fn condition(argument: u8, test: Test) -> Result<SeccompCondition, seccompiler::BackendError> {
    let (operator, value) = match test {
        Test::Is(value) => (SeccompCmpOp::Eq, value),
        Test::Not(value) => (SeccompCmpOp::Ne, value),
        Test::Above(value) => (SeccompCmpOp::Gt, value),
        Test::Below(value) => (SeccompCmpOp::Lt, value),
        Test::Bits(bits) => (SeccompCmpOp::MaskedEq(bits), bits),
        Test::Kind(kind) => (SeccompCmpOp::MaskedEq(SOCKET_KIND), kind),
    };
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// A socket's type shares its argument with flags such as `SOCK_CLOEXEC`.
const SOCKET_KIND: u64 = 0xf;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_program_compiles_for_this_architecture() {
        assert!(programs().is_ok_and(|all| all.iter().all(|p| !p.is_empty() && p.len() < 4096)));
    }

    #[test]
    fn an_engines_filter_knows_no_vsock_no_rings_and_no_unchecked_socket() {
        let profile: serde_json::Value =
            serde_json::from_str(&profile("x86_64").expect("known")).expect("JSON");
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let rules = profile["syscalls"].as_array().expect("rules");
        let allows = |name: &str| {
            let named = rules
                .iter()
                .filter(|rule| rule["names"].as_array().is_some_and(|all| all.iter().any(|n| n == name)));
            named.map(|rule| rule["args"].clone()).collect::<Vec<_>>()
        };
        assert!(allows("unshare").is_empty() && allows("mount").is_empty());
        let answer =
            |name: &str| rules.iter().find(|rule| rule["names"].to_string().contains(name)).expect("a rule");
        for absent in ["\"clone3\"", "\"io_uring_setup\""] {
            assert_eq!(answer(absent)["errnoRet"], libc::ENOSYS, "{absent}");
        }
        assert_eq!(allows("read"), [serde_json::Value::Null]);
        let families: Vec<_> = allows("socket").iter().map(|args| args[0]["value"].as_u64()).collect();
        assert_eq!(families, [1, 2, 10, 16].map(Some));
        assert!(profile_of_nothing().is_none());
    }

    fn profile_of_nothing() -> Option<String> {
        profile("riscv64")
    }

    #[test]
    fn dangerous_calls_do_not_exist_inside() {
        let known = known_calls(ALLOWED);
        for number in [
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            libc::SYS_fsopen,
            libc::SYS_mount_setattr,
            libc::SYS_clone3,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_open_by_handle_at,
            libc::SYS_name_to_handle_at,
            libc::SYS_chroot,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_clock_settime,
            libc::SYS_fanotify_init,
            libc::SYS_syslog,
            libc::SYS_memfd_secret,
        ] {
            assert!(!known.contains_key(&number), "system call {number}");
        }
    }

    fn on_x86_64(name: &str) -> Option<i64> {
        name.parse::<syscalls::x86_64::Sysno>().ok().map(|number| i64::from(number.id()))
    }

    fn on_aarch64(name: &str) -> Option<i64> {
        // The one call that goes by another name there.
        let name = if name == "newfstatat" { "fstatat" } else { name };
        name.parse::<syscalls::aarch64::Sysno>().ok().map(|number| i64::from(number.id()))
    }

    /// The table against the kernel's own for both architectures, as another crate has them: names that exist on one
    /// alone are in `older`, and the numbers that this build uses are its architecture's.
    #[test]
    fn names_and_numbers_are_those_of_both_architectures() {
        let this = if cfg!(target_arch = "aarch64") { on_aarch64 } else { on_x86_64 };
        let mut wrong = Vec::new();
        for group in ALLOWED {
            let bare = |name: &'static str| name.trim_start_matches("SYS_");
            let both = group.calls.iter().map(|(name, number)| (bare(name), number, true));
            let one = group.older.iter().map(|(name, number)| (bare(name), number, false));
            for (name, number, both) in both.chain(one) {
                if this(name) != Some(*number)
                    || on_x86_64(name).is_none()
                    || on_aarch64(name).is_some() != both
                {
                    wrong.push((name, *number, on_x86_64(name), on_aarch64(name)));
                }
            }
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn a_holder_makes_no_process_and_no_socket() {
        assert!(holder().is_ok_and(|program| !program.is_empty()));
        let known = known_calls(HOLDER);
        for number in [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_ptrace,
            libc::SYS_openat,
            libc::SYS_capset,
            libc::SYS_setns,
        ] {
            assert!(!known.contains_key(&number), "system call {number}");
        }
    }

    #[test]
    fn no_call_is_listed_twice_and_every_group_says_why() {
        for table in [ALLOWED, HOLDER] {
            let mut seen = BTreeSet::new();
            for group in table {
                assert!(group.reason.len() > 10);
                for (name, _) in group.calls.iter().chain(group.older) {
                    assert!(seen.insert(name), "{name}");
                }
            }
        }
        assert!(REFUSED_SOCKETS.iter().all(|refused| refused.reason.len() > 5));
    }
}
