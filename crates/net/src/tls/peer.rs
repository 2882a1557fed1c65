//! What a client's certificate says.

use std::time::SystemTime;

use martlet_auth::{Attribute, PeerNames};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{BmpString, Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::subject;

/// A certificate shown by a peer, after the handshake verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The names in it, to find its user by.
    pub names: PeerNames,
    /// Its subject as it is shown.
    pub subject: String,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub spki_sha256: [u8; 32],
    /// SHA-256 of all of it.
    pub cert_sha256: [u8; 32],
}

/// A certificate that cannot be read, although the handshake verified it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct PeerError(String);

impl PeerError {
    // The error of the decoder is of a version of its own, which is nobody else's business.
    fn of(error: &x509_cert::der::Error) -> Self {
        Self(error.to_string())
    }
}

impl PeerCertificate {
    /// Reads a certificate.
    // spec: SEC-064 SEC-072
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, PeerError> {
        let certificate = parse(der)?;
        let tbs = &certificate.tbs_certificate;
        let spki = tbs.subject_public_key_info.to_der().map_err(|error| PeerError::of(&error))?;
        let rdns: Vec<Vec<Attribute>> =
            tbs.subject.0.iter().map(|rdn| rdn.0.iter().filter_map(attribute).collect()).collect();
        let mut names = PeerNames { subject: subject::naming(&rdns), ..PeerNames::default() };
        add_alternative_names(&certificate, &mut names)?;
        let subject = subject::shown(&rdns);
        names.rdns = rdns;
        Ok(Self { names, subject, spki_sha256: Sha256::digest(spki).into(), cert_sha256: Sha256::digest(der).into() })
    }

    /// [`Self::spki_sha256`] as it is shown and configured.
    #[must_use]
    pub(crate) fn spki_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.spki_sha256)
    }

    /// [`Self::cert_sha256`] as it is shown.
    #[must_use]
    pub(crate) fn cert_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.cert_sha256)
    }
}

/// When a certificate runs out.
// spec: SEC-073
pub(super) fn not_after(der: &CertificateDer<'_>) -> Result<SystemTime, PeerError> {
    Ok(parse(der)?.tbs_certificate.validity.not_after.to_system_time())
}

/// A digest as configured; the configuration has checked that it is one.
pub(super) fn parse_digest(hex: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok()
}

fn parse(der: &CertificateDer<'_>) -> Result<Certificate, PeerError> {
    Certificate::from_der(der).map_err(|error| PeerError::of(&error))
}

fn add_alternative_names(certificate: &Certificate, names: &mut PeerNames) -> Result<(), PeerError> {
    let found = certificate.tbs_certificate.get::<SubjectAltName>().map_err(|error| PeerError::of(&error))?;
    for name in found.into_iter().flat_map(|(_, names)| names.0) {
        match name {
            GeneralName::Rfc822Name(mail) => names.emails.push(mail.to_string()),
            GeneralName::DnsName(name) => names.dns_names.push(name.to_string()),
            GeneralName::UniformResourceIdentifier(uri) => names.uris.push(uri.to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// An attribute whose value is text; others name nobody.
fn attribute(attribute: &AttributeTypeAndValue) -> Option<Attribute> {
    let value = &attribute.value;
    let text = match value.tag() {
        Tag::Utf8String => Utf8StringRef::try_from(value).ok()?.as_str().to_owned(),
        Tag::PrintableString => PrintableStringRef::try_from(value).ok()?.as_str().to_owned(),
        Tag::Ia5String => Ia5StringRef::try_from(value).ok()?.as_str().to_owned(),
        Tag::TeletexString => TeletexStringRef::try_from(value).ok()?.as_str().to_owned(),
        Tag::BmpString => BmpString::from_ucs2(value.value()).ok()?.to_string(),
        _ => return None,
    };
    Some(Attribute { oid: attribute.oid.to_string(), value: text })
}
