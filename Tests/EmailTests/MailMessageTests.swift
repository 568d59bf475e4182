import Contracts
import Foundation
import Testing

@testable import Email

@Suite("Mails as they travel") struct MailMessageTests {
    @Test("The whole text") func golden() throws {
        let message = try MailMessage.sample(subject: "Your order is confirmed", text: "Hello,\n\n2 × tea = 9.98 EUR\n")
        #expect(
            String(decoding: message.bytes, as: UTF8.self)
                == [
                    "Date: Sun, 01 Mar 2026 12:00:00 +0000",
                    "From: async-shop <shop@example.com>",
                    "To: <ada@example.com>",
                    "Message-ID: <event-1@async-shop>",
                    "Subject: Your order is confirmed",
                    "MIME-Version: 1.0",
                    "Content-Type: text/plain; charset=utf-8",
                    "Content-Transfer-Encoding: quoted-printable",
                    "Auto-Submitted: auto-generated",
                    "X-Correlation-ID: correlation-1",
                    "",
                    "Hello,",
                    "",
                    "2 =C3=97 tea =3D 9.98 EUR",
                    "",
                ].joined(separator: "\r\n"))
    }

    @Test("Days and hours have two digits and English names") func date() {
        #expect(MailDate.string(from: Date(timeIntervalSince1970: 0)) == "Thu, 01 Jan 1970 00:00:00 +0000")
        #expect(
            MailDate.string(from: Date(timeIntervalSince1970: 1_798_761_599.9)) == "Thu, 31 Dec 2026 23:59:59 +0000")
    }

    @Test("A subject is encoded when it isn't plain, and no line is too long") func encodedSubject() {
        #expect(EncodedWord.encode("Your order") == "Your order")
        #expect(EncodedWord.encode("Größe") == "=?utf-8?B?R3LDtsOfZQ==?=")
        #expect(EncodedWord.encode("=?utf-8?B?SGk=?=") == "=?utf-8?B?PT91dGYtOD9CP1NHaz0/PQ==?=")
        for text in [String(repeating: "x", count: 500), String(repeating: "é👩‍👩‍👧‍👦", count: 60)] {
            let lines = "Subject: \(EncodedWord.encode(text))".components(separatedBy: "\r\n")
            #expect(lines.allSatisfy { $0.utf8.count <= 76 })
            let decoded = lines.compactMap { line -> String? in
                let word = line.replacingOccurrences(of: "Subject:", with: "").dropFirst(" =?utf-8?B?".count).dropLast(
                    2)
                // Each word must be whole characters by itself.
                return Data(base64Encoded: String(word)).flatMap { String(data: $0, encoding: .utf8) }
            }
            #expect(decoded.joined() == text)
        }
    }

    @Test(
        "No subject, text or correlation id makes a header",
        arguments: [
            "x\r\nBcc: eve@example.com", "x\nBcc: eve@example.com", "x\rBcc: e", "\r\n\r\nbody", "x\0",
            "x\u{2028}Bcc: e",
        ])
    func injection(text: String) throws {
        let message = try MailMessage.sample(subject: text, text: text, correlationID: text)
        let whole = String(decoding: message.bytes, as: UTF8.self)
        let head = whole.components(separatedBy: "\r\n\r\n")[0].components(separatedBy: "\r\n")
        #expect(head.count == 9)
        #expect(!head.contains { $0.lowercased().hasPrefix("bcc") })
        #expect(!whole.contains("X-Correlation-ID"))
        let bareBreaks = whole.replacingOccurrences(of: "\r\n", with: "").unicodeScalars.filter {
            $0 == "\r" || $0 == "\n"
        }
        #expect(bareBreaks.isEmpty)
    }

    @Test("Quoted-printable lines are short and keep their last space") func quotedPrintable() {
        func encode(_ text: String) -> String { String(decoding: QuotedPrintable.encode(text), as: UTF8.self) }
        #expect(encode("") == "")
        #expect(encode("a\nb") == "a\r\nb\r\n")
        #expect(encode("a\r\nb\r\n") == "a\r\nb\r\n")
        #expect(encode("a \n\tb\t\n") == "a=20\r\n\tb=09\r\n")
        #expect(encode(String(repeating: "x", count: 75)) == String(repeating: "x", count: 75) + "\r\n")
        #expect(encode(String(repeating: "x", count: 76)) == String(repeating: "x", count: 75) + "=\r\nx\r\n")
        let long = encode(String(repeating: "é=", count: 500))
        #expect(long.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 })
        // A quoted byte is never cut in two.
        #expect(long.replacingOccurrences(of: "=\r\n", with: "") == String(repeating: "=C3=A9=3D", count: 500) + "\r\n")
    }
}
