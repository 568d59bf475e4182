import Contracts
import Foundation
import Hummingbird
import Messaging
import ServiceKit

/// Inventory's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: InventoryStore

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/products", use: list)
        router.get("/products/:sku", use: show)
        router.get("/shipments/:orderId", use: showShipment)
        router.post("/shipments/:orderId/status", use: moveShipment)
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

// MARK: - Shipments

extension Routes {
    @Sendable private func showShipment(request: Request, context: ShopRequestContext) async throws -> Response {
        let order = OrderID(rawValue: try context.pathParameter("orderId"))
        guard let shipment = try await store.shipment(of: order) else { throw Self.noShipment(order) }
        return try Response(json: ShipmentView(shipment))
    }

    /// The warehouse or the carrier says what it has done. Saying it again changes nothing.
    @Sendable private func moveShipment(request: Request, context: ShopRequestContext) async throws -> Response {
        let order = OrderID(rawValue: try context.pathParameter("orderId"))
        let word = try await request.decode(ShipmentStep.self).status
        guard let status = Self.steps.first(where: { $0.rawValue == word }) else {
            let words = Self.steps.map(\.rawValue).joined(separator: ", ")
            throw Problem.invalid(field: "status", "'status' must be one of \(words).")
        }
        do {
            guard let shipment = try await store.moveShipment(of: order, to: status, context: .current()) else {
                throw Self.noShipment(order)
            }
            return try Response(json: ShipmentView(shipment))
        } catch let refused as Shipment.TransitionRefused {
            throw Problem.conflict(refused.description, kind: "shipment-step-refused")
        }
    }

    private static let steps: [Shipment.Status] = [.packed, .shipped, .delivered]

    private static func noShipment(_ order: OrderID) -> Problem {
        .notFound("There is no shipment for the order '\(order)'; an order gets one when it is confirmed.")
    }
}

/// The body of `POST /shipments/{orderId}/status`.
struct ShipmentStep: Codable, Sendable {
    let status: String
}

/// A shipment as `GET /shipments/{orderId}` shows it.
struct ShipmentView: Codable, Sendable {
    let orderId: OrderID
    let customerId: CustomerID
    let status: String
    let updatedAt: Date

    init(_ shipment: Shipment) {
        orderId = shipment.orderID
        customerId = shipment.customer
        status = shipment.status.rawValue
        updatedAt = shipment.updatedAt
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
