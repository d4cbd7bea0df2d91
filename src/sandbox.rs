//! An embedded Cloudflare on loopback: the API, the edge, a public front and a stand-in connector.
