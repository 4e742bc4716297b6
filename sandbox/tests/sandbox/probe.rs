//! What this program does inside a bottle: one attempt, and `ok` or the kernel's answer on standard output.
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

pub(crate) fn main(arguments: &[String]) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match attempt(&arguments) {
        Ok(said) => println!("ok {said}"),
        Err(error) => println!("no {}", name(&error)),
    }
}

pub(crate) fn name(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |code| nix::errno::Errno::from_raw(code).to_string())
}

fn attempt(arguments: &[&str]) -> io::Result<String> {
    match arguments {
        ["tcp", address] => greet(address),
        ["udp", address] => ask(address),
        ["steal", address] => TcpListener::bind(address).map(|_| String::new()),
        ["serve", address] => serve(address),
        ["unshare", flags] => unshare(flags),
        ["clone", flags] => clone(flags),
        ["socket", family, kind, protocol] => socket(number(family), number(kind), number(protocol)),
        ["write", path] => std::fs::File::options().append(true).open(path).map(|_| String::new()),
        ["create", path] => std::fs::File::create_new(path).map(|_| String::new()),
        ["rename", from, to] => std::fs::rename(from, to).map(|()| String::new()),
        ["remove", path] => {
            std::fs::remove_file(path).or_else(|_| std::fs::remove_dir(path)).map(|()| String::new())
        }
        ["read", path] => std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ["link", from, to] => std::fs::hard_link(from, to).map(|()| String::new()),
        ["mount", target] => mount(target),
        ["remount", target] => remount(target),
        ["kill", pid] => kill(number(pid)),
        ["abstract", name] => abstract_socket(name),
        ["processes", most] => processes(number(most)),
        ["core"] => Ok(format!("{:?}", rustix::process::getrlimit(rustix::process::Resource::Core).maximum)),
        ["capabilities"] => status(),
        other => panic!("unknown attempt {other:?}"),
    }
}

fn number(text: &str) -> i32 {
    text.parse().expect("a number")
}

fn greet(address: &str) -> io::Result<String> {
    let mut stream =
        TcpStream::connect_timeout(&address.parse().expect("an address"), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"hello")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn ask(address: &str) -> io::Result<String> {
    let v6 = address.starts_with('[');
    let socket = UdpSocket::bind(if v6 { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    socket.send(b"hello")?;
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// One connection, answered with what it said.
fn serve(address: &str) -> io::Result<String> {
    let listener = TcpListener::bind(address)?;
    println!("serving");
    let (mut stream, _) = listener.accept()?;
    let mut buffer = [0; 64];
    let length = stream.read(&mut buffer)?;
    stream.write_all(&buffer[..length])?;
    Ok(String::new())
}

fn flags(text: &str) -> nix::sched::CloneFlags {
    use nix::sched::CloneFlags as F;
    match text {
        "user" => F::CLONE_NEWUSER,
        "net" => F::CLONE_NEWNET,
        "mount" => F::CLONE_NEWNS,
        "pid" => F::CLONE_NEWPID,
        other => panic!("{other}"),
    }
}

fn unshare(text: &str) -> io::Result<String> {
    Ok(nix::sched::unshare(flags(text)).map(|()| String::new())?)
}

/// The shell's `unshare` would use the same call as above; a child in a new namespace comes from `clone`.
fn clone(text: &str) -> io::Result<String> {
    let output =
        std::process::Command::new("unshare").args(["--fork", &format!("--{text}"), "true"]).output()?;
    if output.status.success() { Ok(String::new()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<String> {
    use rustix::net::{AddressFamily, Protocol, RawProtocol, SocketFlags, SocketType, socket_with};
    let family = AddressFamily::from_raw(u16::try_from(family).expect("a family"));
    let kind = SocketType::from_raw(u32::try_from(kind).expect("a type"));
    let protocol = RawProtocol::new(u32::try_from(protocol).expect("a protocol")).map(Protocol::from_raw);
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, protocol).map(|_| String::new())?)
}

fn mount(target: &str) -> io::Result<String> {
    use rustix::mount::{MountFlags, mount};
    Ok(mount("tmpfs", target, "tmpfs", MountFlags::empty(), None).map(|()| String::new())?)
}

fn remount(target: &str) -> io::Result<String> {
    use rustix::mount::{MountFlags, mount_remount};
    Ok(mount_remount(target, MountFlags::BIND, "").map(|()| String::new())?)
}

fn kill(pid: i32) -> io::Result<String> {
    use nix::sys::signal::{Signal, kill};
    Ok(kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).map(|()| String::new())?)
}

fn abstract_socket(name: &str) -> io::Result<String> {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    std::os::unix::net::UnixStream::connect_addr(&address).map(|_| String::new())
}

fn processes(most: i32) -> io::Result<String> {
    let mut all = Vec::new();
    let mut answer = Ok("no limit".to_owned());
    for _ in 0..most {
        match std::process::Command::new("/bin/sleep").arg("5").spawn() {
            Ok(child) => all.push(child),
            Err(error) => {
                answer = Err(error);
                break;
            }
        }
    }
    for mut child in all {
        child.kill()?;
        child.wait()?;
    }
    answer
}

fn status() -> io::Result<String> {
    let wanted = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:"];
    let status = std::fs::read_to_string("/proc/self/status")?;
    let lines = status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines.map(|line| line.split_whitespace().collect::<String>()).collect::<Vec<_>>().join(" "))
}
