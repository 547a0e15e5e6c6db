//! Where webhooks may go. Addresses are checked after the name was resolved, and the connection is
//! made to the address that was checked, so a name that changes its answer gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address belongs to the public Internet. IPv4 inside IPv6 (mapped, NAT64, 6to4) is
/// judged by the IPv4 address. Ranges: IANA special-purpose registries (RFC 6890 and successors).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4_public(v4),
        IpAddr::V6(v6) => v6_public(v6),
    }
}

fn v4_public(ip: Ipv4Addr) -> bool {
    let o = ip.octets();
    let special = ip.is_unspecified()
        || o[0] == 0
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || (o[0] == 100 && (64..128).contains(&o[1]))
        || (o[0] == 192 && o[1] == 0 && o[2] == 0)
        || (o[0] == 192 && o[1] == 88 && o[2] == 99)
        || (o[0] == 198 && (o[1] == 18 || o[1] == 19))
        || o[0] >= 240;
    !special
}

fn v6_public(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return v4_public(v4);
    }
    let s = ip.segments();
    // 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 2002::/16 (6to4), ::/96 (compatible): not followed.
    let special = ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_multicast()
        || (s[0] & 0xfe00) == 0xfc00
        || (s[0] & 0xffc0) == 0xfe80
        || (s[0] & 0xffc0) == 0xfec0
        || (s[0] == 0x64 && s[1] == 0xff9b)
        || s[0] == 0x2002
        || s[..6].iter().all(|x| *x == 0)
        || (s[0] == 0x2001 && s[1] < 0x200)
        || (s[0] == 0x2001 && s[1] == 0xdb8)
        || (s[0] == 0x100 && s[1] == 0)
        || (s[0] == 0x3fff && s[1] < 0x1000);
    !special
}

/// Why a URL is no place for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not http or https.
    #[error("only http and https URLs are allowed")]
    Scheme,
    /// `user:password@` in it.
    #[error("a URL with credentials is not allowed")]
    Credentials,
    /// No host.
    #[error("the URL has no host")]
    Host,
    /// A private, loopback, link-local or reserved address.
    #[error("the address is not on the public Internet")]
    Address,
}

/// Checks a URL before any name is resolved. Hosts in odd notations (decimal, octal, short IPv4)
/// have been made canonical by the URL parser.
///
/// # Errors
/// [`Forbidden`].
pub fn check(url: &url::Url, allow_private: bool) -> Result<(), Forbidden> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Forbidden::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::Credentials);
    }
    let ip = match url.host() {
        None => return Err(Forbidden::Host),
        Some(url::Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(url::Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(url::Host::Domain(_)) => return Ok(()),
    };
    if allow_private || is_public(ip) { Ok(()) } else { Err(Forbidden::Address) }
}

/// What turns a name into addresses.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Resolves names and lets only public addresses through; the connection uses what this returns.
#[derive(Clone)]
pub struct Guard {
    allow_private: bool,
    lookup: Lookup,
}

impl Guard {
    /// Over the system's resolver. `allow_private` is for tests and closed networks.
    pub fn new(allow_private: bool) -> Self {
        let system = |name: String| {
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
        };
        Self::over(allow_private, Arc::new(system))
    }

    /// Over another resolver.
    pub fn over(allow_private: bool, lookup: Lookup) -> Self {
        Self { allow_private, lookup }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, found) = (self.allow_private, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            let all_public = found.iter().all(|a| allow || is_public(a.ip()));
            if found.is_empty() || !all_public {
                return Err(
                    Box::new(Forbidden::Address) as Box<dyn std::error::Error + Send + Sync>
                );
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "198.18.0.1",
            "198.19.9.9",
            "240.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "192.0.0.8",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "[::1]",
            "[::]",
            "[fc00::1]",
            "[fd12::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[::7f00:1]",
            "[2001::1]",
            "[100::1]",
        ] {
            let url: url::Url = format!("http://{host}/x").parse().unwrap();
            assert_eq!(check(&url, false), Err(Forbidden::Address), "{host}");
            assert_eq!(check(&url, true), Ok(()), "{host}");
        }
    }

    #[test]
    fn public_addresses_and_names_pass_and_other_schemes_do_not() {
        for (url, want) in [
            ("https://93.184.215.14/", Ok(())),
            ("https://[2606:2800:21f:cb07::1]/", Ok(())),
            ("https://example.com/hook", Ok(())),
            ("ftp://example.com/", Err(Forbidden::Scheme)),
            ("https://u:p@example.com/", Err(Forbidden::Credentials)),
        ] {
            assert_eq!(check(&url.parse().unwrap(), false), want, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_refused() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Guard::new(false).resolve(name()).await.is_err());
        assert!(Guard::new(true).resolve(name()).await.is_ok());
    }
}
