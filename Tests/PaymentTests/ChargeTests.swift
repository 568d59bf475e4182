import Contracts
import Foundation
import Messaging
import Outbox
import TestSupport
import Testing

@testable import Payment

@Suite("A charge's life") struct ChargeTests {
    @Test("Settled once; the same again is no news") func settle() throws {
        var charge = Charge.sample()
        #expect(try charge.settle(.succeeded))
        #expect(try !charge.settle(.succeeded))
        #expect(charge.status == .succeeded)
        #expect(throws: Charge.TransitionRefused(from: .succeeded, to: .failed)) {
            try charge.settle(.failed(code: "card_declined"))
        }
    }

    @Test("Only money that was taken goes back, once") func refund() throws {
        var charge = Charge.sample()
        #expect(throws: Charge.TransitionRefused(from: .requested, to: .refunding)) { try charge.startRefund() }
        _ = try charge.settle(.succeeded)
        #expect(try charge.startRefund())
        #expect(try !charge.startRefund())
        try charge.finishRefund()
        #expect(try !charge.startRefund())
        #expect(charge.status == .refunded)
    }
}

@Suite("The simulated gateway") struct SimulatedGatewayTests {
    @Test("A method that it doesn't know is refused at once, without an entry") func unknownMethod() async throws {
        try await withGateway { gateway, _ in
            let refusal = try await gateway.charge(.sample("pm_gold"), idempotencyKey: "key-1")
            #expect(refusal == "unknown_payment_method")
            #expect(try await gateway.ledger(of: "order-1").isEmpty)
        }
    }

    @Test("A flaky charge is booked once, however often it is asked for") func flaky() async throws {
        try await withGateway { gateway, reports in
            for _ in 1...2 {
                await #expect(throws: GatewayUnavailable.self) {
                    try await gateway.charge(.sample(.flaky), idempotencyKey: "key-1")
                }
            }
            #expect(try await gateway.charge(.sample(.flaky), idempotencyKey: "key-1") == nil)
            #expect(try await gateway.ledger(of: "order-1").count == 1)
            try await withRunning(gateway.reporter()) { _ in
                // It reports twice, as gateways do.
                #expect(await reports.first(2) == [.succeeded, .succeeded])
            }
            #expect(try await gateway.ledger(of: "order-1").map(\.status) == [.succeeded])
        }
    }

    @Test("A declined charge fails; a silent one stays pending") func results() async throws {
        try await withGateway { gateway, reports in
            #expect(try await gateway.charge(.sample(.silent, order: "order-2"), idempotencyKey: "key-2") == nil)
            #expect(try await gateway.charge(.sample(.declined), idempotencyKey: "key-1") == nil)
            try await withRunning(gateway.reporter()) { _ in
                #expect(await reports.first(1) == [.failed(code: "card_declined")])
            }
            #expect(try await gateway.ledger(of: "order-2").map(\.status) == [.pending])
        }
    }

    @Test("Money is returned once, and only if it was taken") func refund() async throws {
        try await withGateway { gateway, reports in
            _ = try await gateway.charge(.sample(.ok), idempotencyKey: "key-1")
            await #expect(throws: GatewayUnavailable.self) {
                try await gateway.refund("charge-order-1", idempotencyKey: "key-1")
            }
            try await withRunning(gateway.reporter()) { _ in _ = await reports.first(1) }
            try await gateway.refund("charge-order-1", idempotencyKey: "key-1")
            try await gateway.refund("charge-order-1", idempotencyKey: "key-1")
            #expect(try await gateway.ledger(of: "order-1").map(\.kind) == [.charge, .refund])
        }
    }

    private func withGateway(
        _ body: (SimulatedGateway, Probe<GatewayResult>) async throws -> Void
    ) async throws {
        let reports = Probe<GatewayResult>()
        try await withTemporaryDatabase(Outbox.migrations + GatewayStore.migrations) { database in
            let gateway = SimulatedGateway(
                store: GatewayStore(database: database, effects: Effects()),
                behaviour: .init(delay: .zero, slowDelay: .zero), logger: .silent
            ) { _, result in reports.record(result) }
            try await body(gateway, reports)
        }
    }
}

extension Charge {
    fileprivate static func sample() -> Charge {
        Charge(
            id: "charge-1", orderID: "order-1", amount: Money(amountMinorUnits: 1999, currency: "EUR"),
            paymentMethod: .ok)
    }
}

extension GatewayCharge {
    fileprivate static func sample(_ method: PaymentMethod, order: OrderID = "order-1") -> GatewayCharge {
        GatewayCharge(
            chargeID: ChargeID(rawValue: "charge-\(order)"), orderID: order,
            amount: Money(amountMinorUnits: 1999, currency: "EUR"), paymentMethod: method)
    }
}
