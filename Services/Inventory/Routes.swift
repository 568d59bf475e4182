import Contracts
import Hummingbird
import ServiceKit

/// Inventory's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: InventoryStore

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/products", use: list)
        router.get("/products/:sku", use: show)
    }

    @Sendable private func list(request: Request, context: ShopRequestContext) async throws -> Response {
        let cursor = request.queryParameter("cursor").map(SKU.init(rawValue:))
        let products = try await store.products(after: cursor, limit: Self.pageSize + 1)
        let page = products.prefix(Self.pageSize)
        return try Response(
            json: ProductList(
                products: page.map { ProductView($0) },
                nextCursor: products.count > Self.pageSize ? page.last?.sku : nil))
    }

    @Sendable private func show(request: Request, context: ShopRequestContext) async throws -> Response {
        let sku = SKU(rawValue: try context.pathParameter("sku"))
        guard let product = try await store.product(sku) else {
            throw Problem.notFound("There is no product '\(sku)'; GET /products lists what there is.")
        }
        return try Response(json: ProductView(product))
    }
}

/// A product as `GET /products` shows it.
struct ProductView: Codable, Sendable {
    let sku: SKU
    let name: String
    let price: Money
    let onHand: Int
    let reserved: Int
    let sold: Int

    init(_ product: Product) {
        sku = product.sku
        name = product.name
        price = product.price
        onHand = product.stock.onHand
        reserved = product.stock.reserved
        sold = product.stock.sold
    }
}

/// The answer to `GET /products`.
struct ProductList: Codable, Sendable {
    let products: [ProductView]
    let nextCursor: SKU?
}
