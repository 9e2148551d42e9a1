//! The demo: two simulated arrays, a host, the walk, and then everything serving until Ctrl-C.

use std::process::ExitCode;

use springform_suite::site::{PRIMARY, SECOND, SERVICE, Site};
use springform_suite::walk::walk;

#[tokio::main]
async fn main() -> ExitCode {
    let once = std::env::args().skip(1).any(|word| word == "--once");
    match demo(once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nthe walk failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(once: bool) -> anyhow::Result<()> {
    println!(
        "Two simulated FlashArrays, `{PRIMARY}` and `{SECOND}`, and a Springform host in front of them.\n"
    );
    let site = Site::new()?;
    let host = site.host().await?;
    if let Err(error) = walk(&site, &|line| println!("{line}")).await {
        return Err(error.context(format!("the host's log ends with:\n{}\n", host.log())));
    }
    println!("\nThe volume has survived its array.");
    if !once {
        endpoints(&site, &host.url);
        tokio::signal::ctrl_c().await?;
        println!("\nstopping");
    }
    host.stop().await?;
    Ok(())
}

fn endpoints(site: &Site, url: &str) {
    println!(
        r#"
Everything goes on serving until Ctrl-C.

  Cinder API       {url}/v3
  admin API        {url}/admin/v1
  metrics          {url}/metrics
  {PRIMARY} (dark)     https://{primary}
  {SECOND}             https://{second}
  arrays' control  {control}
  configuration    {config}

Go on with

  export SPRINGFORM_URL={url}
  springform status
  springform driver list
  springform operation list
  cinder --os-auth-type noauth --os-endpoint {url}/v3 --os-user-id admin --os-project-id 0123456789abcdef0123456789abcdef service-list --withreplication
  curl -X POST -d '{{"on":true}}' {control}/arrays/{PRIMARY}/power      # the array of {SERVICE} comes back"#,
        primary = site.sim.address(PRIMARY),
        second = site.sim.address(SECOND),
        control = site.sim.control_url(),
        config = site.config().display(),
    );
}
