import Contracts
import Foundation
import Hummingbird
import Messaging
import ServiceKit

/// Inventory's part of a quote: the same question, asked by a message or over HTTP. It holds nothing, so that it needs
/// neither inbox nor outbox.
struct QuoteAnswers: Sendable {
    let store: InventoryStore
    let delay: AnswerDelay

    func register(on responder: inout Responder) {
        responder.on(CheckAvailability.self, answer)
    }

    func add(to router: Router<ShopRequestContext>) {
        router.post("/availability") { request, _ in
            let question = try await request.decode(CheckAvailability.self)
            try question.validate()
            return try Response(json: try await answer(question))
        }
    }

    @Sendable private func answer(_ question: CheckAvailability) async throws -> AvailabilityChecked {
        try await delay.pass()
        let stock = try await store.stock(of: question.items.map(\.sku))
        let items = question.items.map { item in
            AvailabilityChecked.Item(
                sku: item.sku, requested: item.quantity, available: stock[item.sku]?.available ?? 0)
        }
        let isAvailable = items.allSatisfy { $0.available >= $0.requested }
        return AvailabilityChecked(
            isAvailable: isAvailable, shipsOn: Dispatch.day(isInStock: isAvailable, askedAt: Date()), items: items)
    }
}

extension CheckAvailability {
    private static let mostItems = 50
    private static let largestQuantity = 1000

    /// - Throws: a problem that names the first field that is wrong.
    fileprivate func validate() throws(Problem) {
        guard (1...Self.mostItems).contains(items.count) else {
            throw .invalid(field: "items", "'items' must have 1 to \(Self.mostItems) entries.")
        }
        var seen: Set<SKU> = []
        for (index, item) in items.enumerated() {
            guard (1...Self.largestQuantity).contains(item.quantity) else {
                throw .invalid(
                    field: "items[\(index)].quantity",
                    "'items[\(index)].quantity' must be from 1 to \(Self.largestQuantity).")
            }
            guard seen.insert(item.sku).inserted else {
                throw .invalid(
                    field: "items[\(index)].sku", "'items[\(index)].sku' is there twice; add up the quantities.")
            }
        }
    }
}
