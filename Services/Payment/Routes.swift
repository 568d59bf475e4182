import Contracts
import Hummingbird
import ServiceKit

/// Payment's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: PaymentStore
    let gateway: SimulatedGateway

    func add(to router: Router<ShopRequestContext>) {
        router.get("/charges", use: charges)
        router.get("/gateway/ledger", use: ledger)
    }

    @Sendable private func charges(request: Request, context: ShopRequestContext) async throws -> Response {
        let charges = try await store.charges(of: try Self.order(request))
        return try Response(json: ChargeList(charges: charges.map { ChargeView($0) }))
    }

    @Sendable private func ledger(request: Request, context: ShopRequestContext) async throws -> Response {
        try Response(json: Ledger(entries: try await gateway.ledger(of: try Self.order(request))))
    }

    private static func order(_ request: Request) throws -> OrderID {
        guard let id = request.uri.queryParameters["orderId"], !id.isEmpty else {
            throw Problem.invalid(field: "orderId", "'orderId' is missing; add ?orderId=… with an order's id.")
        }
        return OrderID(rawValue: String(id))
    }
}

/// The answer to `GET /charges`.
struct ChargeList: Codable, Sendable {
    let charges: [ChargeView]
}

/// A charge as `GET /charges` shows it.
struct ChargeView: Codable, Sendable {
    let chargeId: ChargeID
    let orderId: OrderID
    let status: String
    let failureCode: String?
    let amountMinorUnits: Int64
    let currency: String

    init(_ charge: Charge) {
        chargeId = charge.id
        orderId = charge.orderID
        status = charge.status.rawValue
        failureCode = charge.failureCode
        amountMinorUnits = charge.amount.amountMinorUnits
        currency = charge.amount.currency
    }
}

/// The answer to `GET /gateway/ledger`.
struct Ledger: Codable, Sendable {
    let entries: [LedgerEntry]
}
