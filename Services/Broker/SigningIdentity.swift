import Crypto
import CryptoExtras
import Foundation
import SwiftASN1
import X509

/// What notifications are signed with: an RSA key and a certificate that the broker has made for itself.
///
/// It is kept in the broker's database, where it is made and saved in one transaction. Whoever can read that file has
/// every message anyway, so the key would be no safer elsewhere.
struct SigningIdentity: Sendable {
    /// The digest that is signed: a topic's attribute `SignatureVersion`.
    enum Version: String, Sendable {
        case sha1 = "1"
        case sha256 = "2"
    }

    let certificatePEM: String
    private let key: _RSA.Signing.PrivateKey

    /// The certificate's file in `SigningCertURL`; its name changes with the certificate, as verifiers keep what they
    /// have fetched.
    let certificatePath: String

    private static let lifetime: TimeInterval = 20 * 365 * 86_400

    /// Makes a new key with its certificate.
    static func make(now: Date) throws -> SigningIdentity {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let name = try DistinguishedName { CommonName("sns.amazonaws.com") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
            notValidBefore: now.addingTimeInterval(-86_400), notValidAfter: now.addingTimeInterval(lifetime),
            issuer: name, subject: name, signatureAlgorithm: .sha256WithRSAEncryption,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        let pem = try certificate.serializeAsPEM().pemString
        return try SigningIdentity(privateKeyPEM: key.pemRepresentation, certificatePEM: pem)
    }

    init(privateKeyPEM: String, certificatePEM: String) throws {
        key = try _RSA.Signing.PrivateKey(pemRepresentation: privateKeyPEM)
        self.certificatePEM = certificatePEM
        let fingerprint = SHA256.hash(data: Data(certificatePEM.utf8)).prefix(16)
        certificatePath =
            "/SimpleNotificationService-" + fingerprint.map { String(format: "%02x", $0) }.joined() + ".pem"
    }

    var privateKeyPEM: String { key.pemRepresentation }

    /// The signature in base64.
    func sign(_ text: String, _ version: Version) throws -> String {
        let data = Data(text.utf8)
        let signature =
            switch version {
            case .sha1: try key.signature(for: Insecure.SHA1.hash(data: data), padding: .insecurePKCS1v1_5)
            case .sha256: try key.signature(for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5)
            }
        return signature.rawRepresentation.base64EncodedString()
    }
}
