//! An origin that speaks HTTPS, with a certificate for `inner.example.com` of an authority that nobody knows.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// The authority's own certificate.
const AUTHORITY: &str = include_str!("tls_origin/authority.pem");

/// The origin's. Whoever has this key can be this origin, and there is no other.
const CERTIFICATE: &str = include_str!("tls_origin/certificate.pem");
const KEY: &str = include_str!("tls_origin/key.pem");

/// The name in the certificate.
pub(crate) const NAME: &str = "inner.example.com";

/// A running origin, which answers every request with 204. Its thread ends with the test's process.
pub(crate) struct TlsOrigin(SocketAddr);

impl TlsOrigin {
    /// Starts one, and writes the authority's certificate to `authority`.
    pub(crate) fn start(authority: &Path) -> Self {
        std::fs::write(authority, AUTHORITY).unwrap();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                // Whoever does not like the certificate hangs up.
                thread::spawn(move || answer(stream, config).ok());
            }
        });
        Self(address)
    }

    /// It as an ingress rule's service.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.0)
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Write)
}
