import AWSSignature
import Foundation
import Testing

@Suite("AWS Signature Version 4") struct SignatureTests {
    private let key = SigningKey(
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", day: "20150830", region: "us-east-1",
        service: "service")

    /// From AWS's Signature Version 4 test suite.
    private struct Vector: Sendable {
        let name: String
        var path = "/"
        var query = ""
        var more: [(name: String, value: String)] = []
        let signature: String
    }

    @Test(
        "AWS's own test vectors",
        arguments: [
            Vector(
                name: "get-vanilla", signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            Vector(
                name: "get-vanilla-query-order-key-case", query: "Param2=value2&Param1=value1",
                signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
            Vector(
                name: "get-header-value-trim", more: [("my-header1", " value1"), ("my-header2", " \"a   b   c\" ")],
                signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
            Vector(
                name: "get-slashes", path: "//example//",
                signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
            Vector(
                name: "get-relative-relative", path: "/example1/example2/../..",
                signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ])
    private func published(vector: Vector) {
        let stamp = "20150830T123600Z"
        // In the order of their names, which is that of the vectors.
        let headers =
            [(name: "host", value: "example.amazonaws.com")] + vector.more + [(name: "x-amz-date", value: stamp)]
        let request = CanonicalRequest(
            method: "GET", path: vector.path, query: vector.query, headers: headers, body: Data())
        #expect(key.signature(of: request, stamp: stamp) == vector.signature)
        #expect(key.isValid(vector.signature, of: request, stamp: stamp))
    }

    @Test("What is almost the signature isn't one") func almostRight() {
        let request = CanonicalRequest(
            method: "POST", headers: [("host", "example.amazonaws.com")], body: Data("body".utf8))
        let stamp = SigningKey.timestamp(Date(timeIntervalSince1970: 1_440_938_160))
        let right = key.signature(of: request, stamp: stamp)
        #expect(key.isValid(right, of: request, stamp: stamp))
        let wrong = [
            "", "0", String(right.dropLast()), String(right.dropLast(2)), right + "00", "z" + right.dropFirst(),
            String(right.reversed()),
        ]
        for signature in wrong { #expect(!key.isValid(signature, of: request, stamp: stamp), "\(signature)") }
        #expect(!key.isValid(right, of: request, stamp: "20150830T123601Z"))
        let otherBody = CanonicalRequest(
            method: "POST", headers: [("host", "example.amazonaws.com")], body: Data("Body".utf8))
        #expect(!key.isValid(right, of: otherBody, stamp: stamp))
    }
}
