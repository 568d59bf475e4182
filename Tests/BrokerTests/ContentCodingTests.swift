import Foundation
import Testing

@testable import Broker

@Suite("Stored contents")
struct ContentCodingTests {
    @Test("come back as they were")
    func roundTrip() throws {
        let contents = [
            MessageContent(body: "", attributes: [:], sender: "me"),
            MessageContent(
                body: "12:☃ \"𝄞\"\n:", attributes: ["a": .init(type: "String", value: .text("1:b"))], hole: 3,
                sender: "me",
                traceHeader: "Root=1-2-3"),
            MessageContent(body: String(repeating: "x", count: 100_000), attributes: [:], sender: "you"),
        ]
        let decoded = try ContentCoding.decode(ContentCoding.encode(contents))
        func fields(_ contents: [MessageContent]) -> [[String?]] {
            contents.map {
                [
                    $0.body, $0.bodyDigest, $0.attributes, $0.attributesDigest, $0.hole.map(String.init), $0.sender,
                    $0.traceHeader,
                ]
            }
        }
        #expect(fields(decoded) == fields(contents))
        #expect(try ContentCoding.decode(Data()).isEmpty)
    }

    @Test(
        "that are damaged are an error",
        arguments: [
            "5:hello", "1:a1:b0:0:0:2:m", "1:a1:b0:0:0:1:m", ":", "x", "-1:a", "9999999999999999999:a", "1", "2:a",
        ])
    func damage(stored: String) {
        #expect(throws: AWSError.self) { try ContentCoding.decode(Data(stored.utf8)) }
    }
}
