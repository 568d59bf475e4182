import ArgumentParser
import Foundation

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows an order, its history, and what each service knows of it.",
        discussion: "Exits with 2 when there is no such order.")

    private struct Report: Encodable {
        let order: OrderAnswer
        let effects: Effects
    }

    @OptionGroup var stack: StackOptions

    @Argument(help: "The order's id.")
    var order: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try await ShopClient.with(stack) { client in
            guard let found = try await client.order(order) else { return }
            let effects = try await client.effects(of: order, customer: found.order.customer.id)
            if json {
                try Standard().json(Report(order: found.order, effects: effects))
            } else {
                try Self.lines(found.order, effects).forEach(Standard().line)
            }
        }
    }

    static func lines(_ order: OrderAnswer, _ effects: Effects) -> [String] {
        let items = order.items.map { "\($0.quantity) × \($0.sku)" }.joined(separator: ", ")
        let reason = order.reason.map { " because of \($0)" } ?? ""
        var lines = [
            "Order \(order.orderId) is \(order.status)\(reason).",
            "  \(items) for \(order.total), \(order.customer.id) <\(order.customer.email)>",
            "  correlation \(order.correlationId)",
        ]
        lines += order.history.map { entry("order", entry: $0.status, $0.at) }
        lines += part("payment", effects.charges) { entry("payment", entry: "charge \($0.status)", "\($0.amount)") }
        lines += part("loyalty", effects.points) { entry("loyalty", entry: "\($0.points) points", $0.at) }
        lines += part("email", effects.mails) { entry("email", entry: "mail \($0.kind)", "\($0.at) to \($0.to)") }
        lines += part("notification", effects.notifications) {
            entry("notification", entry: $0.kind, "\($0.at) “\($0.text)”")
        }
        return lines
    }

    private static func part<Item>(_ service: String, _ items: [Item]?, _ line: (Item) -> String) -> [String] {
        guard let items else { return [entry(service, entry: "does not answer", "")] }
        return items.isEmpty ? [entry(service, entry: "nothing", "")] : items.map(line)
    }

    private static func entry(_ service: String, entry: String, _ detail: String) -> String {
        "  \(OrderPrinter.columns(service, entry)) \(detail)"
    }
}
