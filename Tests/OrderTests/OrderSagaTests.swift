import Contracts
import Foundation
import Outbox
import Testing

@testable import Order

@Suite("The saga of an order") struct OrderSagaTests {
    typealias Step = (OrderSaga) -> (inout Order, Date) throws -> [OutgoingMessage]

    let saga = OrderSaga(paymentTimeout: .seconds(15))
    let time = Date(timeIntervalSince1970: 1_772_366_400)

    @Test("Stock, then money: confirmed") func happyPath() throws {
        var order = Order.sample()
        #expect(types(saga.placed(order)) == [OrderPlaced.type])
        #expect(types(try saga.stockReserved(&order, at: time)) == [ChargePayment.type, CancelUnpaidOrder.type])
        #expect(types(try saga.paymentSucceeded(&order, at: time)) == [OrderConfirmed.type])
        #expect(order.history.map(\.status) == [.placed, .reserved, .confirmed])
    }

    @Test("The timeout travels as a delayed message to order itself") func timeoutIsDelayed() throws {
        var order = Order.sample()
        let timeout = try saga.stockReserved(&order, at: time)[1]
        #expect(timeout.destination == .queue(.order))
        #expect(timeout.delay == .seconds(15))
    }

    @Test("No stock: cancelled, nobody is charged") func outOfStock() throws {
        var order = Order.sample()
        #expect(types(try saga.stockRejected(&order, at: time)) == [OrderCancelled.type])
        #expect(order.status == .cancelled && order.reason == .outOfStock)
    }

    @Test("Money that comes after the timeout goes back") func lateSuccess() throws {
        var order = Order.sample()
        _ = try saga.stockReserved(&order, at: time)
        #expect(types(try saga.paymentTimedOut(&order, at: time)) == [OrderCancelled.type])
        #expect(order.reason == .paymentTimeout)
        #expect(types(try saga.paymentSucceeded(&order, at: time)) == [RefundPayment.type])
        #expect(order.status == .cancelled)
        #expect(types(try saga.paymentRefunded(&order, at: time)) == [OrderRefunded.type])
        #expect(order.status == .refunded)
    }

    @Test("A decline after the timeout changes nothing") func lateFailure() throws {
        var order = Order.sample()
        _ = try saga.stockReserved(&order, at: time)
        _ = try saga.paymentTimedOut(&order, at: time)
        let before = order
        #expect(try saga.paymentFailed(&order, at: time).isEmpty)
        #expect(order == before)
    }

    @Test("Cancelled before the money is there: at once, and late money goes back", arguments: [false, true])
    func cancelEarly(isReserved: Bool) throws {
        var order = Order.sample()
        if isReserved { _ = try saga.stockReserved(&order, at: time) }
        let messages = try saga.cancellationRequested(&order, at: time)
        #expect(types(messages) == [OrderCancelled.type])
        #expect((messages.first?.payload as? OrderCancelled)?.wasConfirmed == false)
        #expect(order.status == .cancelled && order.reason == .customerRequest)
        #expect(types(try saga.paymentSucceeded(&order, at: time)) == [RefundPayment.type])
    }

    @Test("Cancelled after confirmation: the goods are stopped first, then the money goes back") func cancelLate()
        throws
    {
        var order = Order.sample(.confirmed)
        #expect(types(try saga.cancellationRequested(&order, at: time)) == [StopShipment.type])
        #expect(order.status == .confirmed && order.cancellationRequestedAt == time)
        #expect(types(try saga.cancellationRequested(&order, at: time)) == [])
        let messages = try saga.shipmentStopped(&order, in: .packed, at: time)
        #expect(types(messages) == [OrderCancelled.type, RefundPayment.type])
        let cancelled = try #require(messages.first?.payload as? OrderCancelled)
        #expect(cancelled.wasConfirmed == true && cancelled.stoppedShipment == .packed)
        #expect(order.status == .cancelled && order.cancellationRequestedAt == nil)
        #expect(types(try saga.paymentRefunded(&order, at: time)) == [OrderRefunded.type])
    }

    @Test("The goods had left before they could be stopped: the order goes on") func tooLate() throws {
        var order = Order.sample(.confirmed)
        _ = try saga.cancellationRequested(&order, at: time)
        #expect(types(try saga.shipmentNotStopped(&order, in: .shipped)) == [CancellationRefused.type])
        #expect(order == Order.sample(.confirmed))
        #expect(types(try saga.shipmentNotStopped(&order, in: .shipped)) == [])
    }

    @Test("Shipped and delivered, in whatever order that is heard") func shipped() throws {
        var order = Order.sample(.confirmed)
        for status in [ShipmentStatus.preparing, .packed] { _ = try saga.shipmentMoved(&order, to: status, at: time) }
        #expect(order == Order.sample(.confirmed))
        #expect(types(try saga.shipmentMoved(&order, to: .delivered, at: time)) == [])
        _ = try saga.shipmentMoved(&order, to: .shipped, at: time)
        #expect(order.history.map(\.status) == [.confirmed, .shipped, .delivered])
        #expect(throws: Order.TransitionRefused(from: .delivered, to: .cancelled)) {
            try saga.cancellationRequested(&order, at: time)
        }
    }

    @Test("Each fact that repeats changes nothing", arguments: Order.Status.allCases)
    func repeats(status: Order.Status) throws {
        let steps: [Order.Status: [Step]] = [
            .placed: [OrderSaga.paymentTimedOut],
            .reserved: [OrderSaga.stockReserved, OrderSaga.stockRejected],
            .confirmed: [
                OrderSaga.stockReserved, OrderSaga.stockRejected, OrderSaga.paymentSucceeded, OrderSaga.paymentFailed,
                OrderSaga.paymentTimedOut,
            ],
            .shipped: [OrderSaga.paymentSucceeded, OrderSaga.paymentTimedOut, Self.shipmentNotStopped],
            .delivered: [OrderSaga.paymentSucceeded, OrderSaga.paymentTimedOut, Self.shipmentNotStopped],
            .cancelled: [
                OrderSaga.stockReserved, OrderSaga.stockRejected, OrderSaga.paymentFailed, OrderSaga.paymentTimedOut,
                Self.shipmentStopped, OrderSaga.cancellationRequested,
            ],
            .refunded: [
                OrderSaga.stockReserved, OrderSaga.stockRejected, OrderSaga.paymentSucceeded, OrderSaga.paymentFailed,
                OrderSaga.paymentTimedOut, OrderSaga.paymentRefunded, Self.shipmentStopped,
                OrderSaga.cancellationRequested,
            ],
        ]
        for step in try #require(steps[status]) {
            var order = Order.sample(status)
            #expect(try step(saga)(&order, time).isEmpty)
            #expect(order == Order.sample(status))
        }
    }

    @Test("Money for an order whose stock isn't held yet is an error, not a confirmation") func moneyBeforeStock() {
        var order = Order.sample()
        #expect(throws: Order.TransitionRefused(from: .placed, to: .confirmed)) {
            try saga.paymentSucceeded(&order, at: time)
        }
        #expect(order.status == .placed)
    }

    private static func shipmentStopped(_ saga: OrderSaga) -> (inout Order, Date) throws -> [OutgoingMessage] {
        { try saga.shipmentStopped(&$0, in: .packed, at: $1) }
    }

    private static func shipmentNotStopped(_ saga: OrderSaga) -> (inout Order, Date) throws -> [OutgoingMessage] {
        { order, _ in try saga.shipmentNotStopped(&order, in: .shipped) }
    }

    private func types(_ messages: [OutgoingMessage]) -> [String] { messages.map { type(of: $0.payload).type } }
}

@Suite("An order's transitions") struct OrderTransitionTests {
    @Test("Only the listed transitions are allowed", arguments: Order.Status.allCases) func table(from: Order.Status) {
        let allowed: [Order.Status: Set<Order.Status>] = [
            .placed: [.reserved, .cancelled], .reserved: [.confirmed, .cancelled], .confirmed: [.shipped, .cancelled],
            .shipped: [.delivered], .delivered: [], .cancelled: [.refunded], .refunded: [],
        ]
        var reached: Set<Order.Status> = []
        let transitions: [(inout Order) throws -> Void] = [
            { try $0.reserve(at: Date()) }, { try $0.confirm(at: Date()) },
            { try $0.cancel(because: .outOfStock, at: Date()) }, { try $0.refund(at: Date()) },
            { try $0.ship(at: Date()) }, { try $0.deliver(at: Date()) },
        ]
        for transition in transitions {
            var order = Order.sample(from)
            do {
                try transition(&order)
                reached.insert(order.status)
                #expect(order.history.last?.status == order.status)
            } catch {
                #expect(order == Order.sample(from))
            }
        }
        #expect(reached == allowed[from])
    }
}

extension Order {
    /// An order of two notebooks in the given status.
    static func sample(_ status: Status = .placed, id: OrderID = "order-1") -> Order {
        let price = Money(amountMinorUnits: 1895, currency: "EUR")
        return Order(
            id: id, customer: Customer(id: "ada", email: "ada@example.com"),
            lines: [OrderLine(sku: "NOTEBOOK-A5", quantity: 2, unitPrice: price)],
            total: Money(amountMinorUnits: 3790, currency: "EUR"), paymentMethod: .ok, correlationID: "correlation-1",
            status: status, reason: nil, cancellationRequestedAt: nil,
            history: [Step(status: status, at: Date(timeIntervalSince1970: 1_772_366_400))]
        )
    }
}
