import ServiceKit

/// What the service is told by its environment, besides what all services are told.
struct EmailSettings: Sendable {
    let maildir: String
    /// The server that takes mail; without one it goes to the Maildir.
    let smtp: SMTPServer?
    let from: EmailAddress

    init(_ configuration: ServiceConfiguration) throws(ConfigurationError) {
        maildir = try configuration.string("MAILDIR", default: "./maildir")
        let sender = try configuration.string("MAIL_FROM", default: "shop@example.com")
        guard let from = EmailAddress(sender) else {
            throw ConfigurationError("MAIL_FROM must be an address like shop@example.com, not '\(sender)'.")
        }
        self.from = from
        let certificateAuthorities = configuration.optional("SMTP_CA_FILE")
        if let url = configuration.optional("SMTP_URL") {
            smtp = try SMTPServer(url: url, certificateAuthorities: certificateAuthorities)
        } else {
            smtp = nil
        }
    }

    static let variables = [
        EnvironmentVariable("MAILDIR", "the folder that mail goes to when SMTP_URL isn't set", default: "./maildir"),
        EnvironmentVariable(
            "SMTP_URL", "the server that takes mail: smtp://HOST:PORT or smtps://USER:PASSWORD@HOST:PORT", default: ""),
        EnvironmentVariable(
            "SMTP_CA_FILE", "a PEM file with the certificates to trust instead of the system's", default: ""),
        EnvironmentVariable("MAIL_FROM", "the sender's address", default: "shop@example.com"),
    ]
}
