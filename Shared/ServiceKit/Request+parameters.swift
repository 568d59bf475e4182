public import Hummingbird

extension ShopRequestContext {
    /// A variable part of the path, percent-decoded: `ann@x` for `/customers/ann%40x/points`.
    public func pathParameter(_ name: String) throws -> String {
        let text = try self.parameters.require(name)
        return text.removingPercentEncoding ?? text
    }
}

extension Request {
    /// A parameter of the query; one that is empty counts as left out.
    public func queryParameter(_ name: String) -> String? {
        self.uri.queryParameters[name[...]].flatMap { $0.isEmpty ? nil : String($0) }
    }
}
