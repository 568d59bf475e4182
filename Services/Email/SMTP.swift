import CCurl
import Foundation
import Synchronization

/// Delivers by SMTP (RFC 5321) through libcurl.
///
/// SMTP has no idempotency key: when the connection breaks after the last byte, nobody knows who has the mail. It is
/// sent again with the same `Message-ID`, by which mailboxes recognise it.
struct SMTP: MailTransport {
    let name = "smtp"
    private let server: SMTPServer
    private let queue = DispatchQueue(label: "smtp", attributes: .concurrent)

    init(server: SMTPServer) { self.server = server }

    func deliver(_ message: MailMessage) async throws -> DeliveryOutcome {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await queue.run { [server] in
                try SMTPDelivery(message, to: server, cancellation: cancellation).perform()
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}

/// Why a mail could not be handed over this time. It names neither the password nor the recipient.
enum SMTPError: Error, Equatable, CustomStringConvertible {
    /// The server can't be reached, isn't who it says it is, or fell silent.
    case connection(server: String, reason: String)
    /// The server doesn't take the user and password.
    case login(server: String, code: Int)
    /// The server said no, for now or for a reason that has nothing to do with this mail.
    case reply(server: String, command: String, reply: String)

    var description: String {
        switch self {
        case .connection(let server, let reason):
            "The mail server \(server) could not be used: \(reason)."
        case .login(let server, let code):
            "The mail server \(server) refused the login with \(code); check the user and password in SMTP_URL."
        case .reply(let server, let command, let reply):
            "The mail server \(server) answered \(command) with: \(reply)."
        }
    }
}

/// Tells the thread on which libcurl works that nobody waits any more.
private final class Cancellation: Sendable {
    private let flag = Atomic(false)
    var isCancelled: Bool { flag.load(ordering: .relaxed) }
    func cancel() { flag.store(true, ordering: .relaxed) }
}

/// One mail in one connection.
private final class SMTPDelivery {
    private let message: MailMessage
    private let server: SMTPServer
    private let cancellation: Cancellation
    private var conversation = SMTPConversation()
    private var rest: ArraySlice<UInt8>

    private static let connectTimeoutSeconds = 10
    private static let timeoutSeconds = 30

    /// libcurl wants this once in a process, before anything else.
    private static let isReady: CURLcode = curl_global_init(Int(CURL_GLOBAL_ALL))

    init(_ message: MailMessage, to server: SMTPServer, cancellation: Cancellation) {
        self.message = message
        self.server = server
        self.cancellation = cancellation
        rest = message.bytes[...]
    }

    /// Blocks until the server has answered.
    func perform() throws -> DeliveryOutcome {
        guard Self.isReady == CURLE_OK, let handle = curl_easy_init() else {
            throw SMTPError.connection(server: "\(server)", reason: "libcurl can't be started")
        }
        defer { curl_easy_cleanup(handle) }
        let recipients = curl_slist_append(nil, "<\(message.to)>")
        defer { curl_slist_free_all(recipients) }

        try configure(handle)
        try check(shop_curl_set_string(handle, CURLOPT_MAIL_FROM, "<\(message.from)>"))
        try check(shop_curl_set_list(handle, CURLOPT_MAIL_RCPT, recipients))
        try check(shop_curl_set_long(handle, CURLOPT_UPLOAD, 1))
        try check(shop_curl_set_size(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(rest.count)))
        try listen(on: handle)

        var buffer = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
        let result = buffer.withUnsafeMutableBufferPointer { errors in
            _ = shop_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errors.baseAddress)
            let result = curl_easy_perform(handle)
            // The buffer ends here, and the handle has yet to say goodbye.
            _ = shop_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, nil)
            return result
        }
        return try outcome(
            of: result, details: String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
    }

    private func configure(_ handle: UnsafeMutableRawPointer) throws {
        try check(shop_curl_set_string(handle, CURLOPT_URL, server.url))
        // What SMTP_URL says is meant; no variable of curl's own redirects it.
        try check(shop_curl_set_string(handle, CURLOPT_PROXY, ""))
        // Signals and threads don't go together.
        try check(shop_curl_set_long(handle, CURLOPT_NOSIGNAL, 1))
        try check(shop_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT, Self.connectTimeoutSeconds))
        try check(shop_curl_set_long(handle, CURLOPT_TIMEOUT, Self.timeoutSeconds))
        try check(shop_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1))
        try check(shop_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2))
        if let file = server.certificateAuthorities {
            try check(shop_curl_set_string(handle, CURLOPT_CAINFO, file))
        }
        if let login = server.login {
            try check(shop_curl_set_string(handle, CURLOPT_USERNAME, login.user))
            try check(shop_curl_set_string(handle, CURLOPT_PASSWORD, login.password))
            // STARTTLS (RFC 3207) before the login, where the server has it.
            try check(shop_curl_set_long(handle, CURLOPT_USE_SSL, Int(CURLUSESSL_TRY.rawValue)))
        }
    }

    /// Lets libcurl fetch the mail's bytes, ask whether to go on, and tell what is said on the connection.
    private func listen(on handle: UnsafeMutableRawPointer) throws {
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(
            shop_curl_set_read(handle) { buffer, size, count, context in
                guard let buffer, let context else { return 0 }
                return SMTPDelivery.from(context).read(
                    into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
            })
        try check(shop_curl_set_pointer(handle, CURLOPT_READDATA, context))
        try check(
            shop_curl_set_progress(handle) { context, _, _, _, _ in
                guard let context else { return 0 }
                return SMTPDelivery.from(context).cancellation.isCancelled ? 1 : 0
            })
        try check(shop_curl_set_pointer(handle, CURLOPT_XFERINFODATA, context))
        try check(shop_curl_set_long(handle, CURLOPT_NOPROGRESS, 0))
        try check(
            shop_curl_set_debug(handle) { _, kind, data, count, context in
                guard let data, let context else { return 0 }
                let bytes = UnsafeRawBufferPointer(start: data, count: count)
                switch kind {
                case CURLINFO_HEADER_OUT: SMTPDelivery.from(context).conversation.sent(bytes)
                case CURLINFO_DATA_OUT: SMTPDelivery.from(context).conversation.sentMessage()
                case CURLINFO_HEADER_IN: SMTPDelivery.from(context).conversation.received(bytes)
                default: break
                }
                return 0
            })
        try check(shop_curl_set_pointer(handle, CURLOPT_DEBUGDATA, context))
        try check(shop_curl_set_long(handle, CURLOPT_VERBOSE, 1))
    }

    private static func from(_ context: UnsafeMutableRawPointer) -> SMTPDelivery {
        Unmanaged<SMTPDelivery>.fromOpaque(context).takeUnretainedValue()
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let piece = rest.prefix(buffer.count)
        buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
    }

    private func outcome(of result: CURLcode, details: String) throws -> DeliveryOutcome {
        if result == CURLE_OK { return .delivered }
        if cancellation.isCancelled { throw CancellationError() }
        let reply = conversation.reply.replacingOccurrences(
            of: message.to.description, with: "(the recipient)", options: .caseInsensitive)
        switch conversation.verdict {
        case .refused: return .refused(reason: "The mail server \(server) refused it: \(reply)")
        case .loginRefused: throw SMTPError.login(server: "\(server)", code: conversation.code)
        case .failed: throw SMTPError.reply(server: "\(server)", command: conversation.command, reply: reply)
        case nil:
            let reason = details.isEmpty ? String(cString: curl_easy_strerror(result)) : details
            throw SMTPError.connection(server: "\(server)", reason: reason)
        }
    }

    private func check(_ result: CURLcode) throws {
        guard result == CURLE_OK else {
            throw SMTPError.connection(server: "\(server)", reason: String(cString: curl_easy_strerror(result)))
        }
    }
}
