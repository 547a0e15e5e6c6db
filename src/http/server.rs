//! The listening loop. `axum::serve` keeps silent connections open for ever and takes any number;
//! this one has a time-out for a request's head (and so for idle connections) and a bound on
//! connections, tells the router who is at the other end, and drains on shutdown.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;
use crate::lifecycle::Lifecycle;

/// Who is at the other end of the connection: a client, or the proxy before it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head, and between two requests.
    pub header_timeout: Duration,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
}

impl From<&config::Server> for Limits {
    fn from(s: &config::Server) -> Self {
        Self {
            header_timeout: Duration::from_secs(s.header_timeout_s),
            connections: s.max_connections,
        }
    }
}

/// With room for any number of connections.
impl From<Duration> for Limits {
    fn from(header_timeout: Duration) -> Self {
        Self { header_timeout, connections: Semaphore::MAX_PERMITS }
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address.ip().to_canonical(), place))
}

/// Serves until the lifecycle stops, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: impl Into<Limits>,
    life: Lifecycle,
) {
    let limits = limits.into();
    let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(64 * 1024);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &room) => match accepted {
                Ok(connection) => connection,
                Err(e) => {
                    // Out of file descriptors, most likely: waiting is all that helps.
                    tracing::warn!(error = %e, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = life.stopping().cancelled() => break,
        };
        let _ = stream.set_nodelay(true);
        let inner = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            inner.call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        let abort = life.aborting().clone();
        life.spawn(async move {
            tokio::select! {
                ended = connection => if let Err(e) = ended {
                    tracing::debug!(error = %e, "connection ended");
                },
                // Its client doesn't read what it asked for.
                () = abort.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = life.aborting().cancelled() => {}
    }
}

/// Collects a response's body, for storing it.
///
/// # Errors
/// When the body breaks off.
pub async fn collect(body: Body) -> Result<Bytes, axum::Error> {
    Ok(body.collect().await?.to_bytes())
}
