import Contracts
import Foundation
import Telemetry

/// A mail as it travels: the text of RFC 5322 with the MIME headers of RFC 2045. The same mail is the same bytes each
/// time.
struct MailMessage: Sendable {
    let id: MailID
    let from: EmailAddress
    let to: EmailAddress
    let date: Date
    let subject: String
    let text: String
    let correlationID: String

    /// All of it, lines ending with CRLF.
    ///
    /// Addresses and ids can't break out of a header by their types; the subject is encoded unless it is harmless.
    var bytes: [UInt8] {
        var headers = [
            "Date: \(MailDate.string(from: date))",
            "From: async-shop <\(from)>",
            "To: <\(to)>",
            "Message-ID: <\(id)>",
            "Subject: \(EncodedWord.encode(subject))",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            // RFC 3834: nobody is away on holiday for a machine.
            "Auto-Submitted: auto-generated",
        ]
        if CorrelationID.isValid(correlationID) { headers.append("X-Correlation-ID: \(correlationID)") }
        let head = headers.joined(separator: "\r\n") + "\r\n\r\n"
        return Array(head.utf8) + QuotedPrintable.encode(text)
    }
}

/// Dates of RFC 5322 section 3.3.
enum MailDate {
    /// `Mon, 02 Mar 2026 09:05:00 +0000`.
    static func string(from date: Date) -> String {
        let style = Date.VerbatimFormatStyle(
            format: """
                \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .padded(4)) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\
                \(second: .twoDigits) +0000
                """,
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        return style.format(date)
    }
}

/// Header text beyond ASCII: the encoded words of RFC 2047.
enum EncodedWord {
    /// With "Subject: " before it, what is no longer fits into a line of 78.
    private static let longestPlain = 69
    /// As many bytes as leave the encoded word, and a header's name before it, within 75 characters.
    private static let bytesInWord = 39

    /// The text itself if it is short and printable ASCII, else encoded words on lines of their own.
    static func encode(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        if isPlain, text.utf8.count <= longestPlain, !text.contains("=?") { return text }
        // A word may not end within a character, so they are filled one by one.
        var words: [[UInt8]] = [[]]
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if words[words.endIndex - 1].count + bytes.count > bytesInWord { words.append([]) }
            words[words.endIndex - 1] += bytes
        }
        return words.map { "=?utf-8?B?\(Data($0).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }
}

/// The quoted-printable encoding of RFC 2045 section 6.7.
enum QuotedPrintable {
    private static let longestLine = 76

    /// - Parameter text: with any kind of line breaks; they become CRLF, and the last line gets one too.
    static func encode(_ text: String) -> [UInt8] {
        var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.flatMap(encodeLine)
    }

    private static func encodeLine(_ line: Substring) -> [UInt8] {
        let bytes = Array(line.utf8)
        var encoded: [UInt8] = []
        var column = 0
        for (index, byte) in bytes.enumerated() {
            let piece = isLiteral(byte, isLast: index == bytes.endIndex - 1) ? [byte] : quoted(byte)
            // One column stays free for the soft line break.
            if column + piece.count >= longestLine {
                encoded += Array("=\r\n".utf8)
                column = 0
            }
            encoded += piece
            column += piece.count
        }
        return encoded + Array("\r\n".utf8)
    }

    /// White space at the end of a line may get lost on the way.
    private static func isLiteral(_ byte: UInt8, isLast: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "="): false
        case UInt8(ascii: " "), UInt8(ascii: "\t"): !isLast
        default: (0x21...0x7E).contains(byte)
        }
    }

    private static func quoted(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 0x0F)]]
    }
}
