import Contracts
import Foundation
import TestSupport
import Testing

extension SystemTests {
    /// What a customer sees while it happens.
    @Suite("The live feed", .stack, .logs, .timeLimit(.minutes(2))) struct LiveFeedTests {
        let stack: Stack
        let shop: ShopAPI
        let broker: BrokerAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
            broker = BrokerAPI(stack: stack)
        }

        @Test("Each line comes when it is told, with the list's id, in the order of the order's life") func live()
            async throws
        {
            try await Feed.read(of: "watcher", stack: stack) { feed in
                let order = try await shop.place(NewOrder(by: "watcher", "BOOK-EIP", paying: .ok)).orderId
                _ = try await shop.shipment(of: order)
                for status in ["packed", "shipped", "delivered"] {
                    #expect(try await shop.moveShipment(of: order, to: status).status == 200)
                }
                let kinds = await feed.kinds(6)
                #expect(
                    kinds.filter { $0 != "points_awarded" } == [
                        "order_placed", "order_confirmed", "shipment_packed", "shipment_shipped", "shipment_delivered",
                    ])
                #expect(kinds.firstIndex(of: "points_awarded") ?? 0 > 1)
                let list = try await shop.notifications(of: "watcher")
                #expect(feed.ids == list.map(\.id))
                let line = try JSONDecoder().decode(
                    NotificationState.self, from: Data(try #require(feed.events.values.first).data.utf8))
                #expect(line.id == feed.ids.first && line.orderId == order)
                #expect(feed.retries.values.count == 1)
                await feed.heartbeats.first { true }
            }
        }

        @Test("Over a kill -9 nothing is lost and nothing comes twice, wherever the reader was") func restart()
            async throws
        {
            let first = try await Feed.read(of: "loyal", stack: stack) { feed in
                _ = try await shop.place(NewOrder(by: "loyal", "MUG-ENAMEL", paying: .ok))
                _ = await feed.kinds(2)
                try await stack.kill(.notification)
                #expect(await feed.ended.first { _ in true } == .broken)
                return feed.ids
            }
            // Told while nobody is there to tell.
            let later = try await shop.place(NewOrder(by: "loyal", "MUG-ENAMEL", paying: .ok)).orderId
            _ = try await shop.follow(later, until: ["confirmed"])
            stack.start(.notification)
            try await stack.waitUntilReady(.notification)
            let second = try await Feed.read(of: "loyal", after: first.last, stack: stack) { feed in
                let rest = 6 - first.count
                _ = await feed.kinds(rest)
                return Array(feed.ids.prefix(rest))
            }
            let list = try await shop.notifications(of: "loyal").map(\.id)
            #expect(list.count == 6)
            #expect(first + second == list)
            for (index, id) in list.enumerated() {
                let rest = Array(list.dropFirst(index + 1))
                let seen = try await Feed.read(of: "loyal", after: id, stack: stack) { feed in
                    await feed.events.first(rest.count).map(\.id)
                }
                #expect(seen == rest)
            }
        }

        @Test("Asked to stop, the service ends the streams as whole ones and is gone at once") func stop() async throws
        {
            try await Feed.read(of: "patient", stack: stack) { feed in
                await feed.retries.first { _ in true }
                let start = ContinuousClock.now
                let status = try await stack.stop(.notification)
                #expect(status == .exited(0))
                #expect(ContinuousClock.now - start < .seconds(5))
                #expect(await feed.ended.first { _ in true } == .finished)
            }
            stack.start(.notification)
            try await stack.waitUntilReady(.notification)
        }

        @Test("A reader who doesn't read is cut off, holds up nobody, costs no memory, and misses nothing") func slow()
            async throws
        {
            try await broker.deliver(OrderPlaced(orderId: "wordy", customer: .wordy, items: [], total: .some))
            let lines = 60
            let before = try await stack.residentBytes(of: .notification)
            let never = Gate()
            let seen = try await Feed.read(of: "wordy", stack: stack, pace: { await never.pass() }) { _ in
                // More than all buffers between the two hold.
                for number in 1...lines {
                    try await broker.deliver(
                        OrderCancelled(
                            orderId: "wordy", customer: .wordy, total: .some,
                            reason: CancellationReason(rawValue: "\(number)" + String(repeating: "x", count: 200_000))))
                }
                let all = try await Feed.read(of: "wordy", stack: stack) { brisk in
                    _ = await brisk.kinds(lines + 1)
                    return brisk.ids
                }
                try await eventually("the slow reader is cut off") {
                    try await shop.metric("http_server_event_streams_cut_off_total", of: .notification) == 1
                }
                return all
            }
            let after = try await stack.residentBytes(of: .notification)
            #expect(after - before < 60_000_000, "12 MB of lines were told to two readers")
            let list = try await shop.notifications(of: "wordy").map(\.id)
            #expect(list.count == lines + 1)
            #expect(seen == list)
        }

        @Test("An id that isn't of this list is refused") func unknown() async throws {
            let response = try await Feed.open(
                of: "nobody", after: "0195512f-3e11-7f08-a4c2-6d83e5b17f90", stack: stack)
            #expect(response.status.code == 422)
            #expect(response.headers.first(name: "content-type") == "application/problem+json")
        }
    }
}

extension Customer {
    fileprivate static let wordy = Customer(id: "wordy", email: "wordy@example.com")
}

extension Money {
    fileprivate static let some = Money(amountMinorUnits: 100, currency: "EUR")
}
