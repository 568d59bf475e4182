import AsyncHTTPClient
import Foundation
import HTTPTypes
import NIOCore

/// The services' HTTP interfaces, as the console asks them on behalf of whoever looks at its page.
struct ShopServices: Sendable {
    let http: HTTPClient
    /// Base URLs by the services' names.
    let urls: [String: String]

    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let body: ByteBuffer

        func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(body.readableBytesView))
        }
    }

    /// The service is stopped, too slow or not reachable.
    struct Away: Error, CustomStringConvertible {
        let service: String
        var description: String { "\(service) does not answer; see whether it runs." }
    }

    private static let largestAnswer = 8 * 1024 * 1024

    func send(
        _ method: HTTPRequest.Method = .get, to service: String, _ path: String, headers: [String: String] = [:],
        body: ByteBuffer? = nil, timeout: Duration = .seconds(5)
    ) async throws -> Answer {
        guard let url = urls[service] else { throw Away(service: service) }
        var request = HTTPClientRequest(url: url + path)
        request.method = .RAW(value: method.rawValue)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        do {
            let response = try await http.execute(request, timeout: TimeAmount(timeout))
            let headers = response.headers.map { ($0.name.lowercased(), $0.value) }
            return Answer(
                status: Int(response.status.code), headers: Dictionary(headers) { first, _ in first },
                body: try await response.body.collect(upTo: Self.largestAnswer))
        } catch {
            // Whoever asked has gone, which says nothing about the service.
            try Task.checkCancellation()
            throw Away(service: service)
        }
    }

    /// The console's own questions make no spans in the services that it watches: they would bury those of the shop.
    static let unrecorded = [
        "traceparent": "00-\(HexID.random(16))-\(HexID.random(8))-00", "x-correlation-id": "console",
    ]

    /// A JSON answer; `nil` when the service says that there is no such thing.
    func get<Value: Decodable>(_ service: String, _ path: String) async throws -> Value? {
        let answer = try await send(to: service, path, headers: Self.unrecorded)
        return (200..<300).contains(answer.status) ? try answer.decode() : nil
    }
}

extension String {
    /// For one segment of a path or one value of a query.
    var escapedForURL: String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}
