import Foundation
import ServiceKit

/// Which mail server to use, and how. It holds a password, so its description doesn't.
struct SMTPServer: Sendable, CustomStringConvertible, CustomReflectable {
    let host: String
    let port: Int
    /// TLS from the first byte (RFC 8314), which is what smtps: stands for.
    let isEncrypted: Bool
    /// Who logs in; without a login, mail is handed over without one.
    let login: Login?
    /// A file with the certificates to trust, instead of the system's.
    let certificateAuthorities: String?

    struct Login: Sendable {
        let user: String
        let password: String
    }

    /// - Parameters:
    ///   - text: `smtp://HOST:PORT` or `smtps://USER:PASSWORD@HOST:PORT`; user and password are percent-encoded.
    ///   - certificateAuthorities: the path of a PEM file.
    init(url text: String, certificateAuthorities: String? = nil) throws(ConfigurationError) {
        guard let url = URLComponents(string: text, encodingInvalidCharacters: false),
            let scheme = url.scheme?.lowercased(),
            ["smtp", "smtps"].contains(scheme), let host = url.host, !host.isEmpty, ["", "/"].contains(url.path),
            url.query == nil, url.fragment == nil, (1...65_535).contains(url.port ?? 25)
        else { throw Self.malformed }
        isEncrypted = scheme == "smtps"
        self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        port = url.port ?? (isEncrypted ? 465 : 25)
        if url.percentEncodedUser != nil || url.percentEncodedPassword != nil {
            guard let user = url.user, !user.isEmpty else { throw Self.malformed }
            let password = url.password ?? ""
            // libcurl takes C strings, and no server could have made use of these.
            guard (user + password).unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
                throw Self.malformed
            }
            login = Login(user: user, password: password)
        } else {
            login = nil
        }
        self.certificateAuthorities = certificateAuthorities
    }

    /// What is wrong with it may be the password, so the value isn't repeated.
    private static let malformed = ConfigurationError(
        "SMTP_URL must look like smtp://HOST:PORT or smtps://USER:PASSWORD@HOST:PORT, user and password percent-encoded."
    )

    /// The URL without the login.
    var url: String {
        "\(isEncrypted ? "smtps" : "smtp")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    var description: String { "\(host):\(port)" }
    var customMirror: Mirror { Mirror(self, children: ["url": url]) }
}
