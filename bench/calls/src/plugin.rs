//! The same logic behind gRPC over a Unix socket in another process: what CSI and go-plugin do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};

use crate::native::Native;

#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod proto {
    tonic::include_proto!("springform.bench");
}

use proto::plugin_client::PluginClient;
use proto::plugin_server::{Plugin, PluginServer};

struct Served(Native);

#[tonic::async_trait]
impl Plugin for Served {
    async fn extend(
        &self,
        request: Request<proto::ExtendRequest>,
    ) -> Result<Response<proto::ExtendReply>, Status> {
        let request = request.into_inner();
        let ask = request
            .context
            .is_some_and(|c| c.options.contains_key("request"));
        self.0
            .extend(request.new_size, ask)
            .await
            .map_err(|e| Status::unavailable(format!("{e:#}")))?;
        Ok(Response::new(proto::ExtendReply {}))
    }
}

/// Serves the plugin until the process is killed.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(socket: &Path, array: SocketAddr) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket).context("make the plugin's socket")?;
    println!("ready");
    Server::builder()
        .add_service(PluginServer::new(Served(Native::new(array))))
        .serve_with_incoming(UnixListenerStream::new(listener))
        .await
        .context("serve the plugin")
}

/// The host's side.
#[derive(Clone)]
pub struct Remote {
    client: PluginClient<Channel>,
}

impl Remote {
    /// Connects to a plugin's socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(socket: PathBuf) -> anyhow::Result<Self> {
        let channel = Endpoint::from_static("http://plugin.invalid")
            .connect_with_connector(tower::service_fn(move |_: Uri| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            }))
            .await
            .context("connect to the plugin")?;
        Ok(Self {
            client: PluginClient::new(channel),
        })
    }

    /// One call.
    ///
    /// # Errors
    /// The plugin's status.
    pub async fn extend(&self, new_size: u64, request: bool) -> anyhow::Result<()> {
        let options = if request {
            [("request".to_owned(), "true".to_owned())].into()
        } else {
            [].into()
        };
        let target = proto::Target {
            name: "array-a".into(),
            primary: true,
            address: String::new(),
        };
        let context = proto::Context {
            operation_id: "6f7f2a4e-5d0b-4f7c-9a52-0c2f4f9b3c11".into(),
            backend: "pure1".into(),
            options,
            targets: vec![target],
            state: Vec::new(),
            deadline_ms: 30_000,
            now: 1_790_000_000_000,
        };
        let volume = proto::Volume {
            id: "5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d".into(),
            name: "volume-5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d".into(),
            project: "p".into(),
            size: 1 << 30,
            array_name: "volume-5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d-cinder".into(),
            target: "array-a".into(),
        };
        let message = proto::ExtendRequest {
            context: Some(context),
            volume: Some(volume),
            new_size,
        };
        self.client
            .clone()
            .extend(message)
            .await
            .context("call the plugin")?;
        Ok(())
    }
}
