//! The exact commands for what only a person may do.

use springform_model::cloud::Attachment;

use crate::compute::Attached;

/// A root volume cannot be detached: its server is stopped, and Nova's own tool connects it anew.
pub(super) fn root(server: &str, volume: &str, host: Option<&str>) -> Vec<String> {
    let host = host.unwrap_or("its compute host");
    vec![
        format!("openstack server stop {server}"),
        format!("nova-manage volume_attachment get_connector --json > connector.json  # on {host}"),
        format!("nova-manage volume_attachment refresh {server} {volume} connector.json"),
        format!("openstack server start {server}"),
    ]
}

/// What Nova refused, for when the reason is gone.
pub(super) fn data(server: &str, volume: &str, attached: &Attached) -> Vec<String> {
    vec![
        format!("openstack server remove volume {server} {volume}"),
        add(server, volume, attached),
    ]
}

/// The second half of it.
pub(super) fn add(server: &str, volume: &str, attached: &Attached) -> String {
    let mut command = "openstack server add volume".to_owned();
    if let Some(device) = &attached.device {
        command.push_str(&format!(" --device {device}"));
    }
    if let Some(tag) = &attached.tag {
        command.push_str(&format!(" --tag {tag}"));
    }
    if attached.delete_on_termination == Some(true) {
        command.push_str(" --enable-delete-on-termination");
    }
    command.push_str(&format!(" {server} {volume}"));
    command
}

/// An attachment that no server has.
pub(super) fn forget(attachment: &str) -> Vec<String> {
    vec![format!(
        "openstack --os-volume-api-version 3.27 volume attachment delete {attachment}"
    )]
}

/// A machine that is not Nova's: whoever runs it connects it anew.
pub(super) fn machine(attachment: &Attachment) -> Vec<String> {
    let mut command = "openstack --os-volume-api-version 3.27 volume attachment set".to_owned();
    if let Some(connector) = &attachment.connector {
        command.push_str(&format!(" --host {}", connector.host));
        if let Some(initiator) = &connector.initiator {
            command.push_str(&format!(" --initiator {initiator}"));
        }
        if let Some(ip) = &connector.ip {
            command.push_str(&format!(" --ip {ip}"));
        }
        if connector.multipath {
            command.push_str(" --multipath");
        }
    }
    command.push_str(&format!(" {}", attachment.id));
    vec![
        command,
        format!(
            "openstack --os-volume-api-version 3.44 volume attachment complete {}",
            attachment.id
        ),
    ]
}
