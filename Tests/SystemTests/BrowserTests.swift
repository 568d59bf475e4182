import Contracts
import Foundation
import Messaging
import TestSupport
import Testing

extension SystemTests {
    /// What `test_console.py` does with the page, in a real browser.
    @Suite("The console in a browser", .stack(starting: Program.watched), .logs, .timeLimit(.minutes(8)))
    struct BrowserTests {
        @Test("Somebody shops, follows orders, mends a dead letter; in both themes and widths") func page() async throws
        {
            let stack = try currentStack()
            let stuck = try await stuckOrder(stack)
            let folder = URL(filePath: #filePath).deletingLastPathComponent()
            let result = try await Python.test(
                "test_console.py", in: folder,
                environment: [
                    "CONSOLE_URL": stack.url(of: .console), "BROKER_URL": stack.url(of: .broker),
                    "BROKER_KEY": Stack.accessKeyID, "BROKER_SECRET": Stack.secretAccessKey,
                    "STUCK_ORDER": stuck.rawValue, "INVENTORY_DATABASE": "\(stack.folder.path)/inventory.sqlite",
                ])
            #expect(result.isSuccess, "\(result.output)")
        }

        /// An order whose first message can't be read, so that it goes no further than `placed`.
        private func stuckOrder(_ stack: Stack) async throws -> OrderID {
            let (shop, broker) = (ShopAPI(stack: stack), BrokerAPI(stack: stack))
            try await stack.stop(.inventory)
            let order = try await shop.place(NewOrder(by: "stuck", "MUG-ENAMEL", 2, paying: .ok))
            let message = try await eventually("the order's first message waits for inventory") {
                try await broker.drain(.inventory).first { $0.body.contains(order.orderId.rawValue) }
            }
            let broken = message.body.replacing("\"quantity\":2", with: "\"quantity\":\"two\"")
            #expect(broken != message.body)
            try await broker.send(broken, type: OrderPlaced.type, to: .queue(.inventory))
            stack.start(.inventory)
            try await stack.waitUntilReady(.inventory)
            return order.orderId
        }
    }
}
