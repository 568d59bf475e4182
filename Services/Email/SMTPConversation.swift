/// What a mail client and a server have said to each other last: enough to tell what an answer was about.
struct SMTPConversation: Equatable {
    /// The command that was sent last, without its arguments, which may be secret.
    private(set) var command = "the connection"
    /// The answer's code; 0 while there is none.
    private(set) var code = 0
    private var lines: [String] = []
    /// The answer that matters comes before the goodbye.
    private var isOver = false

    /// What a failure means.
    enum Verdict: Equatable {
        /// The server will never take this mail.
        case refused
        case loginRefused
        /// Another attempt may do better.
        case failed
    }

    private static let commands: Set<String> = ["EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"]
    /// RFC 4954: 530 asks for a login. It is about us and not about the mail.
    private static let authenticationRequired = 530

    /// The client sent a line.
    mutating func sent(_ bytes: some Collection<UInt8>) {
        let word = String(decoding: bytes.prefix { $0 != 0x20 && $0 != 0x0D && $0 != 0x0A }, as: UTF8.self).uppercased()
        if word == "QUIT" { isOver = true }
        if isOver { return }
        // Anything else is the next step of a login.
        if Self.commands.contains(word) { command = word }
        forgetReply()
    }

    /// The client sent a part of the mail.
    mutating func sentMessage() {
        command = "DATA"
        forgetReply()
    }

    /// The server sent a line of an answer, such as `250-SIZE` or `250 OK`.
    mutating func received(_ bytes: some Collection<UInt8>) {
        if isOver { return }
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if let code = Int(line.prefix(3)) { self.code = code }
            if lines.count < 10 { lines.append(String(line)) }
        }
    }

    private mutating func forgetReply() {
        code = 0
        lines = []
    }

    /// The answer on one line.
    var reply: String { lines.joined(separator: " ") }

    /// - Returns: `nil` if the server hasn't refused anything.
    var verdict: Verdict? {
        guard code >= 400 else { return nil }
        if command == "AUTH" { return .loginRefused }
        let isAboutMail = command == "RCPT" || command == "DATA"
        return isAboutMail && code >= 500 && code != Self.authenticationRequired ? .refused : .failed
    }
}
