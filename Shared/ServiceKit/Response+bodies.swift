import HTTPTypes
public import Hummingbird

extension Response {
    /// An answer in JSON.
    public init(
        json value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws {
        var headers = headers
        headers[.contentType] = "application/json"
        let body = try ShopJSON.encoder().encode(value)
        self.init(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// An answer in text.
    public init(text: String, contentType: String, status: HTTPResponse.Status = .ok) {
        self.init(
            status: status, headers: [.contentType: contentType], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
