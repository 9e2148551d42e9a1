use super::*;
use crate::config::Config;

const CONF: &str = "\
[DEFAULT]
host = ctl
enabled_backends = pure-1, other
storage_availability_zone = az1
default_volume_type = gold
osapi_volume_workers = 4
[keystone_authtoken]
auth_url = http://192.0.2.5
[pure-1]
volume_driver = cinder.volume.drivers.pure.PureFCDriver
volume_backend_name = pure-1
backend_host = cluster
san_ip = 192.0.2.1
pure_api_token = the-first-secret
driver_ssl_cert_path = /etc/cinder/pure.pem
pure_eradicate_on_delete = True
use_multipath_for_image_xfer = true
replication_device = backend_id:b,san_ip:192.0.2.2,api_token:the-second-secret,type:sync,uniform:True
[other]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
";

fn planned(only: &[&str], report: &mut Report) -> Plan {
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    read(&Conf::parse(CONF).unwrap(), &only, report)
}

#[test]
fn a_backend_of_cinder_is_one_that_the_host_can_read_without_a_secret_in_the_file() {
    let mut report = Report::default();
    let plan = planned(&["pure-1"], &mut report);
    let text = plan.toml(Path::new("/drivers"), &BTreeMap::new(), &mut report);
    assert!(!report.is_refused(), "{}", report.text(true));
    for secret in ["the-first-secret", "the-second-secret"] {
        assert!(!text.contains(secret), "{text}");
    }
    let read = Config::parse(Path::new("/t/springform.toml"), &plan.with_secrets(&text)).unwrap();
    let [backend] = read.backends.as_slice() else {
        panic!("{text}")
    };
    assert_eq!(
        (backend.name.as_str(), backend.host.as_str()),
        ("pure-1", "cluster@pure-1")
    );
    assert_eq!(
        (
            read.service.host.as_str(),
            backend.availability_zone.as_str()
        ),
        ("ctl", "az1")
    );
    assert_eq!(read.service.default_volume_type.as_deref(), Some("gold"));
    assert_eq!(backend.driver, "pure-activecluster");
    let option = |key: &str| backend.options.iter().any(|option| option.key == key);
    for key in [
        "pure_api_token",
        "pure_eradicate_on_delete",
        "pure_storage_protocol",
    ] {
        assert!(option(key), "{key} in {text}");
    }
    let files: Vec<&str> = plan.secrets().map(|(name, _)| name).collect();
    assert_eq!(files, ["pure-1.b.token", "pure-1.token"]);
    let told = report.text(true);
    for left in ["osapi_volume_workers", "[keystone_authtoken]"] {
        assert!(told.contains(left), "{told}");
    }
    assert!(!told.contains("the-first-secret"));
}

#[test]
fn a_driver_that_is_not_here_stands_in_the_way_unless_its_backend_is_left_out() {
    let mut report = Report::default();
    planned(&[], &mut report);
    assert!(
        report
            .text(false)
            .contains("[other] volume_driver = cinder.volume.drivers.rbd.RBDDriver")
    );
    let mut report = Report::default();
    planned(&["nosuch"], &mut report);
    assert!(report.is_refused());
}
