//! Mints leaves, for `bench/loops`, which counts instructions: `mint one mint COUNT`.
use egress::CertificateAuthority;
use policy::Host;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = std::env::args().nth(3).unwrap_or_default().parse()?;
    let authority = CertificateAuthority::generate("loops")?;
    for number in 0..count {
        authority.server_config(&Host::parse(&format!("host-{number}.example.com"))?)?;
    }
    Ok(())
}
