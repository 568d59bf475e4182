import Logging
import Outbox
import ServiceKit
import ServiceLifecycle

/// Reports ready once inventory has told of all that there is to order. Until then not every order could be priced.
struct PriceListReadiness: Service {
    let store: OrderStore
    let readiness: Readiness

    func run() async throws {
        readiness.set("price_list", ready: false, detail: "waiting for inventory's products")
        let isThere = try await cancelWhenGracefulShutdown {
            try await store.changes.withTicket(for: .priceList) { ticket in
                while try await !store.hasWholePriceList() {
                    await ticket.signal.wait(until: nil, clock: ContinuousClock())
                    if Task.isCancelled { return false }
                }
                return true
            }
        }
        if isThere { readiness.set("price_list", ready: true, detail: "products are here") }
        try? await gracefulShutdown()
    }
}
