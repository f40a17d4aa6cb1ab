//! The client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::address::Reach;
use crate::error::HttpError;
use crate::request::{Request, Response};
use crate::resolver::{Lookup, Refused, VettedResolver, system_lookup, vetted};
use crate::stream::StreamingResponse;
use crate::target::{HostPort, Target, origin_of};

/// Longest way to a connection: name, TCP and TLS. Shorter than any request's own timeout should be, so that a dead
/// network is told apart ([`HttpError::NotSent`]) from a slow answer ([`HttpError::Unknown`]).
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Idle connections are closed before the other side does it (load balancers of AWS close after 60 s:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html>), because
/// a request written to a closed connection has an unknown fate.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// How a client is built. There is no `Default`: whoever opens a way out says how far it goes.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Places of configured base URLs. Only these may be private or plain http: an Ollama, an AWS emulator, a VPC
    /// endpoint.
    pub allow_hosts: Vec<HostPort>,
    /// Sent with every request that has none of its own.
    pub user_agent: String,
    /// A PEM file with certificate authorities to trust beside the bundled ones, for test servers and proxies of a
    /// company.
    pub extra_roots: Option<PathBuf>,
}

/// The one way out of the house. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct HttpClient {
    shared: Arc<Shared>,
    allow: Arc<[HostPort]>,
    /// Set by [`HttpClient::only`].
    only: Option<HostPort>,
}

struct Shared {
    /// A client for each reach, since a resolver learns the name but not the port: only requests to a configured host
    /// *and port* go through the others.
    public: reqwest::Client,
    configured: reqwest::Client,
    not_loopback: reqwest::Client,
    lookup: Lookup,
    /// For what begins as a request and goes on as something else, which HTTP/2 cannot.
    dialled: TlsConnector,
}

/// A connection to speak on.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

impl HttpClient {
    /// Builds the client: no network, no system trust store, well under a millisecond. Reads `extra_roots` once.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        Self::with_lookup(options, system_lookup())
    }

    pub(crate) fn with_lookup(options: HttpOptions, lookup: Lookup) -> Result<Self, HttpError> {
        let tls = tls_config(options.extra_roots)?;
        let public = inner_client(&options.user_agent, tls.clone(), Reach::Public, lookup.clone())?;
        let configured = inner_client(&options.user_agent, tls.clone(), Reach::Configured, lookup.clone())?;
        let not_loopback = inner_client(&options.user_agent, tls.clone(), Reach::NotLoopback, lookup.clone())?;
        let mut dialled = tls;
        dialled.alpn_protocols = vec![b"http/1.1".to_vec()];
        let dialled = TlsConnector::from(Arc::new(dialled));
        let allow_hosts = options.allow_hosts;
        let shared = Shared { public, configured, not_loopback, lookup, dialled };
        Ok(Self { shared: Arc::new(shared), allow: allow_hosts.into(), only: None })
    }

    /// The same client without the allow-list: for URLs that a model, a message or a web page chose.
    #[must_use]
    pub fn public_only(&self) -> Self {
        self.allowing(Vec::new())
    }

    /// The same client with another allow-list: for URLs that somebody else chose, where the owner has named some private
    /// places that they may lead to.
    #[must_use]
    pub fn allowing(&self, places: Vec<HostPort>) -> Self {
        Self { allow: places.into(), ..self.clone() }
    }

    /// The same client for one host and port alone: for requests that carry a credential, whose URLs come from the
    /// configuration. A URL that leads elsewhere, also by a redirect, is [`HttpError::Blocked`] (CVE-2026-53827).
    #[must_use]
    pub fn only(&self, place: HostPort) -> Self {
        Self { only: Some(place), ..self.clone() }
    }

    /// A bare connection to where a URL leads, by the rules of every request, for what speaks for itself: the tunnels of a
    /// browser. The name is looked up once, and the addresses that were judged are dialled as they were judged.
    pub async fn connect(&self, url: &str) -> Result<TcpStream, HttpError> {
        let mut last = String::new();
        for address in self.vet(url).await? {
            match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = "it took too long".to_owned(),
            }
        }
        Err(HttpError::NotSent { origin: origin_of(url), reason: last })
    }

    /// A connection to where a URL leads, encrypted if it is `https`, by the rules of every request: for WebSockets, which
    /// begin as a request and go on as something else.
    pub async fn dial(&self, url: &str) -> Result<Box<dyn Line>, HttpError> {
        let target = Target::parse(url)?;
        let line = self.connect(url).await?;
        if target.url.scheme() != "https" {
            return Ok(Box::new(line));
        }
        let not_sent = |reason: String| HttpError::NotSent { origin: target.origin(), reason };
        let name = match target.place.literal() {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(target.place.name()).map_err(|error| not_sent(error.to_string()))?,
        };
        match tokio::time::timeout(CONNECT_WITHIN, self.shared.dialled.connect(name, line)).await {
            Ok(Ok(encrypted)) => Ok(Box::new(encrypted)),
            Ok(Err(error)) => Err(not_sent(error.to_string())),
            Err(_) => Err(not_sent("it took too long".to_owned())),
        }
    }

    /// The addresses at which a URL may be spoken to right now, by the rules of every request. Nothing is sent to them. This
    /// says early why a URL would be refused; whoever then dials by [`HttpClient::connect`] is judged anew, for the same name
    /// asked again may answer differently.
    pub async fn vet(&self, url: &str) -> Result<Vec<SocketAddr>, HttpError> {
        let target = Target::parse(url)?;
        let reach = self.reach(&target, &self.allow)?;
        let origin = target.origin();
        let found = match target.place.literal() {
            Some(address) => vec![address],
            None => {
                let looked_up = tokio::time::timeout(CONNECT_WITHIN, (self.shared.lookup)(target.place.name()));
                let found = looked_up.await.map_err(|_| "the name cannot be looked up in time".to_owned());
                let found = found.and_then(|found| found.map_err(|error| error.to_string()));
                found.map_err(|reason| HttpError::NotSent { origin: origin.clone(), reason })?
            }
        };
        let allowed = vetted(reach, &found).map_err(|refused| match refused {
            Some(Refused(reason)) => HttpError::Blocked { origin: origin.clone(), reason },
            None => HttpError::NotSent { origin: origin.clone(), reason: "the name has no address".to_owned() },
        })?;
        Ok(allowed.into_iter().map(|address| SocketAddr::new(address, target.place.port())).collect())
    }

    /// Sends a request and takes the whole answer. Sending twice asks twice.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let idle = request.timeout;
        self.stream(request, idle).await?.collect().await
    }

    /// Sends a request and hands the body over as it comes. `idle` is the longest silence between two pieces; the
    /// request's timeout and `max_bytes` hold for the whole.
    pub async fn stream(&self, request: Request, idle: Duration) -> Result<StreamingResponse, HttpError> {
        let deadline = Instant::now() + request.timeout;
        // What has a body is not repeated elsewhere, whatever its method.
        let may_follow = matches!(request.method, Method::GET | Method::HEAD) && request.body.is_empty();
        let mut hops = if may_follow { request.follow } else { 0 };
        let mut target = Target::parse(&request.url)?;
        let mut allow: &[HostPort] = &self.allow;
        let Request { method, mut headers, body, max_bytes: limit, .. } = request;
        headers.remove(HOST);
        loop {
            let inner = self.hop(&target, allow, method.clone(), headers.clone(), body.clone(), deadline).await?;
            let next = if hops == 0 { None } else { redirect(&target, &inner)? };
            let Some(next) = next else {
                return Ok(StreamingResponse { inner, origin: target.origin(), idle, limit, taken: 0 });
            };
            (allow, headers) = carry(&target, &next, allow, headers);
            hops -= 1;
            target = next;
        }
    }

    /// The same as [`HttpClient::send`] in the words of the `http` crate, for SDKs that bring their own requests.
    pub async fn http_request(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let request =
            Request { method: parts.method, url, headers: parts.headers, body, timeout, max_bytes, follow: 0 };
        let Response { status, headers, body } = self.send(request).await?;
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// How far a request to here may reach, if this client may speak to it at all.
    fn reach(&self, target: &Target, allow: &[HostPort]) -> Result<Reach, HttpError> {
        if self.only.as_ref().is_some_and(|place| *place != target.place) {
            let reason = "this client carries a credential for another host; its URLs come from the configuration only";
            return Err(HttpError::Blocked { origin: target.origin(), reason });
        }
        target.reach(allow)
    }

    async fn hop(
        &self,
        target: &Target,
        allow: &[HostPort],
        method: Method,
        headers: HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<reqwest::Response, HttpError> {
        let client = match self.reach(target, allow)? {
            Reach::Public => &self.shared.public,
            Reach::Configured => &self.shared.configured,
            Reach::NotLoopback => &self.shared.not_loopback,
        };
        let mut request = client
            .request(method, target.url.clone())
            .headers(headers)
            .timeout(deadline.saturating_duration_since(Instant::now()));
        if !body.is_empty() {
            request = request.body(body);
        }
        request.send().await.map_err(|error| HttpError::before_answer(&target.origin(), &error))
    }
}

/// Where a redirect leads; `None` for every other answer.
fn redirect(from: &Target, answer: &reqwest::Response) -> Result<Option<Target>, HttpError> {
    let moved = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = answer.headers().get(LOCATION).filter(|_| moved) else { return Ok(None) };
    let bad = HttpError::BadUrl { reason: "the redirect's target is malformed" };
    let location = location.to_str().map_err(|_| bad.clone())?;
    let next = from.url.join(location).map_err(|_| bad)?;
    Target::parse(next.as_str()).map(Some)
}

/// What goes along with a redirect. Another origin may send us on, but neither into private networks nor with what was
/// meant for the first one (CVE-2026-32913, CVE-2026-41345).
fn carry<'a>(from: &Target, to: &Target, allow: &'a [HostPort], headers: HeaderMap) -> (&'a [HostPort], HeaderMap) {
    if from.url.origin() == to.url.origin() {
        return (allow, headers);
    }
    let harmless = |name| headers.get(&name).map(|value| (name, value.clone()));
    (&[], [ACCEPT, USER_AGENT].into_iter().filter_map(harmless).collect())
}

fn inner_client(
    user_agent: &str,
    tls: rustls::ClientConfig,
    reach: Reach,
    lookup: Lookup,
) -> Result<reqwest::Client, HttpError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(VettedResolver { reach, lookup })
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would resolve names for us, unvetted (CVE-2026-22181).
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(IDLE_CONNECTION)
        .user_agent(user_agent)
        .build()
        .map_err(|error| HttpError::Setup { reason: format!("{error} (is `user_agent` a header value?)") })
}

/// ring and the bundled roots: what a build with the system's trust store takes 36 ms for takes this 0.1 ms.
fn tls_config(extra_roots: Option<PathBuf>) -> Result<rustls::ClientConfig, HttpError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_roots {
        add_roots(&mut roots, &path)
            .map_err(|reason| HttpError::Setup { reason: format!("{}: {reason}", path.display()) })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Setup { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn add_roots(roots: &mut rustls::RootCertStore, path: &std::path::Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("it contains no certificate in PEM form".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderValue;
    use http::header::AUTHORIZATION;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A client that knows one name, and how often it asked for it.
    fn client_where(allow: &[&str], answers: &[&str]) -> (HttpClient, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let answers: Vec<IpAddr> = answers.iter().map(|address| address.parse().unwrap()).collect();
        let lookup: Lookup = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            let found = answers.clone();
            Box::pin(async move { Ok(found) })
        });
        (client_with(allow, lookup), asked)
    }

    fn client_with(allow: &[&str], lookup: Lookup) -> HttpClient {
        let allow_hosts = allow.iter().map(|url| HostPort::of_url(url).unwrap()).collect();
        let options = HttpOptions { allow_hosts, user_agent: "t".to_owned(), extra_roots: None };
        HttpClient::with_lookup(options, lookup).unwrap()
    }

    fn get(url: &str) -> Request {
        Request::get(url, Duration::from_secs(60), 1024)
    }

    /// The name answers with a public address to whoever looks, and with ours when it is dialled: the verdict is on what
    /// is dialled, each time anew.
    #[tokio::test]
    async fn s09_a_name_that_changes_its_mind_is_blocked_when_it_does() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let lookup: Lookup = Arc::new(move |_| {
            let first = counter.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                if first { Err(io::Error::other("once")) } else { Ok(vec!["127.0.0.1".parse().unwrap()]) }
            })
        });
        let client = client_with(&[], lookup);
        assert!(matches!(client.send(get("https://rebind.example/")).await, Err(HttpError::NotSent { .. })));
        assert!(matches!(client.send(get("https://rebind.example/")).await, Err(HttpError::Blocked { .. })));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    /// Telegram has the bot's token in the path: no error tells more of a URL than its origin, however a request ends.
    #[tokio::test]
    async fn d01_an_error_tells_no_path_of_a_url() {
        const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let client = client_where(&[&origin], &[]).0;
        let server = tokio::spawn(async move {
            // One connection ends before the answer, one in the midst of it, and then there is nobody.
            for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"] {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut head = [0; 1024];
                assert!(connection.read(&mut head).await.unwrap() > 0);
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let ask = async || client.send(get(&format!("{origin}/bot{TOKEN}/getMe?k={TOKEN}"))).await.unwrap_err();
        let mut errors = vec![ask().await, ask().await];
        server.await.unwrap();
        errors.push(ask().await);
        assert!(matches!(errors.last(), Some(HttpError::NotSent { .. })), "{errors:?}");
        for error in errors {
            let told = format!("{error} {error:?}");
            assert!(told.contains(&origin) && !told.contains(TOKEN) && !told.contains("getMe"), "{told}");
        }
    }

    /// Names too: what a careless configuration lists is no way to Lambda's own APIs.
    #[tokio::test]
    async fn s03_a_configured_name_reaches_no_api_of_lambda() {
        for port in ["9001", "2773"] {
            for address in [&["127.0.0.1"][..], &["::1"], &["::ffff:127.0.0.1"], &["169.254.100.1"]] {
                let url = format!("http://box.example:{port}/");
                let (client, _) = client_where(&[&url], address);
                let error = client.send(get(&url)).await.unwrap_err();
                assert!(matches!(error, HttpError::Blocked { .. }), "{address:?}:{port} {error:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_public_name_with_private_addresses_is_blocked() {
        let (client, asked) = client_where(&[], &["127.0.0.1", "10.0.0.1", "::1"]);
        let error = client.send(get("https://rebind.example/x")).await.unwrap_err();
        assert!(matches!(&error, HttpError::Blocked { origin, .. } if origin == "https://rebind.example"), "{error:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_dials_by_itself_is_given_vetted_addresses_only() {
        let vet = async |client: &HttpClient, url: &str| {
            client.vet(url).await.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let (mixed, asked) = client_where(&["http://box.example:81"], &["127.0.0.1", "169.254.169.254", "1.1.1.1"]);
        assert_eq!(vet(&mixed, "https://a.example/x").await.unwrap(), ["1.1.1.1:443"]);
        assert_eq!(vet(&mixed, "http://box.example:81/").await.unwrap(), ["127.0.0.1:81", "1.1.1.1:81"]);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        let narrow = mixed.public_only();
        for url in ["http://box.example:81/", "https://127.0.0.1/", "https://[::1]:9/", "http://a.example/"] {
            assert!(matches!(vet(&narrow, url).await, Err(HttpError::Blocked { .. })), "{url}");
        }
        assert_eq!(vet(&narrow, "https://1.1.1.1:9").await.unwrap(), ["1.1.1.1:9"]);
        let other = narrow.allowing(vec![HostPort::of_url("http://own.example:82").unwrap()]);
        assert!(
            vet(&other, "http://own.example:82/").await.is_ok() && vet(&other, "http://box.example:81/").await.is_err()
        );
        let pinned = mixed.only(HostPort::of_url("https://a.example").unwrap());
        assert!(vet(&pinned, "https://a.example").await.is_ok() && vet(&pinned, "https://b.example").await.is_err());
        assert!(matches!(vet(&narrow, "file:///etc/passwd").await, Err(HttpError::BadUrl { .. })));
        let (private, _) = client_where(&[], &["10.0.0.1"]);
        assert!(matches!(vet(&private, "https://a.example").await, Err(HttpError::Blocked { .. })));
        let (nowhere, _) = client_where(&[], &[]);
        assert!(matches!(vet(&nowhere, "https://a.example").await, Err(HttpError::NotSent { .. })));
    }

    /// The addresses that were vetted are the ones that are dialled; there is no second look-up to lie to.
    #[tokio::test]
    async fn s09_the_connection_goes_to_a_vetted_address_after_one_look_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://box.example:{}/", listener.local_addr().unwrap().port());
        let (client, asked) = client_where(&[&url], &["169.254.169.254", "127.0.0.1"]);
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
            socket.write_all(b"HTTP/1.1 204 No\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(client.send(get(&url)), serve);
        assert_eq!(answer.unwrap().status, StatusCode::NO_CONTENT);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    /// The tunnels of a browser: the same rules, one look-up, and the address that was judged.
    #[tokio::test]
    async fn s09_a_bare_connection_goes_to_a_vetted_address_or_nowhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://box.example:{}/", listener.local_addr().unwrap().port());
        let (client, asked) = client_where(&[&url], &["169.254.169.254", "127.0.0.1"]);
        let mut line = client.connect(&url).await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        other.write_all(b"hi").await.unwrap();
        let mut heard = [0; 2];
        line.read_exact(&mut heard).await.unwrap();
        assert_eq!((&heard, asked.load(Ordering::Relaxed)), (b"hi", 1));
        let (stranger, _) = client_where(&[], &["127.0.0.1"]);
        for url in [url.replace("http:", "https:"), url.replace("box.example", "127.0.0.1")] {
            assert!(matches!(stranger.connect(&url).await, Err(HttpError::Blocked { .. })), "{url}");
        }
        let nobody = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(nobody.is_err(), "a refused connection was made");
    }

    #[tokio::test]
    async fn a_configured_name_still_reaches_no_metadata_service() {
        let (client, _) = client_where(&["https://box.example"], &["169.254.169.254"]);
        let error = client.send(get("https://box.example/")).await.unwrap_err();
        assert!(matches!(error, HttpError::Blocked { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn another_port_of_a_configured_name_is_public_ground() {
        let (client, _) = client_where(&["https://box.example"], &["127.0.0.1"]);
        let error = client.send(get("https://box.example:9001/")).await.unwrap_err();
        assert!(matches!(error, HttpError::Blocked { .. }), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_cannot_be_found_was_no_request() {
        let failing: Lookup = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
        let hanging: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
        let empty: Lookup = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        for lookup in [failing, hanging, empty] {
            let error = client_with(&[], lookup).send(get("https://gone.example/")).await.unwrap_err();
            assert!(matches!(error, HttpError::NotSent { .. }), "{error:?}");
        }
    }

    #[test]
    fn s11_a_redirect_takes_nothing_along_to_another_origin() {
        let at = |url| Target::parse(url).unwrap();
        let allow = [HostPort::of_url("http://127.0.0.1:1").unwrap()];
        let names = ["authorization", "x-api-key", "private-token", "cookie", "accept", "user-agent"];
        let headers: HeaderMap =
            names.map(|n| (n.parse().unwrap(), HeaderValue::from_static("v"))).into_iter().collect();
        let here = at("https://a.example/1");
        let (kept, carried) = carry(&here, &at("https://a.example/2"), &allow, headers.clone());
        assert_eq!((kept.len(), carried.len()), (1, 6));
        for there in ["https://b.example/", "http://a.example/", "https://a.example:444/", "https://a.example.evil/"] {
            let (kept, carried) = carry(&here, &at(there), &allow, headers.clone());
            assert_eq!((kept.len(), carried.len()), (0, 2), "{there}");
            assert!(carried.get(AUTHORIZATION).is_none() && carried.contains_key(ACCEPT), "{there}");
        }
    }
}
