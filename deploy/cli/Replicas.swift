/// How many processes of each service run side by side, as `email=2,order=3` says it.
struct Replicas: Equatable, Sendable {
    private static let largest = 9
    /// From one process of a service to the next, so that the first of each stays where everybody looks for it.
    private static let portStep = 100

    let counts: [String: Int]

    /// - Parameter databases: where the services' data is, if that is said; several processes can't share files.
    init(_ list: String?, databases: String?) throws {
        var counts: [String: Int] = [:]
        for part in list?.split(separator: ",") ?? [] {
            let sides = part.split(separator: "=").map { $0.trimmingCharacters(in: .whitespaces) }
            guard sides.count == 2, let count = Int(sides[1]), (1...Self.largest).contains(count) else {
                throw ShopError(
                    "--replicas takes names with 1 to \(Self.largest), such as email=2,order=3; not '\(part)'.")
            }
            guard let entry = ServiceTable.all.first(where: { $0.name == sides[0] }) else {
                throw ShopError("There is no service '\(sides[0])' to have replicas of.")
            }
            guard count == 1 || !entry.hasOwnFile else {
                throw ShopError("The \(entry.name) is one process: it keeps what it has in a file of its own.")
            }
            counts[entry.name] = count
        }
        self.counts = counts
        guard !areSeveral || databases?.hasPrefix("sqlite:") != true else {
            throw ShopError(
                "The processes of one service can't share a file; leave --databases out, or give a PostgreSQL server's."
            )
        }
    }

    /// Whether there is a service with more than one.
    var areSeveral: Bool { counts.values.contains { $0 > 1 } }

    /// The processes that these services are.
    func applied(to entries: [ServiceEntry]) -> [ServiceEntry] {
        entries.flatMap { entry in
            (1...(counts[entry.name] ?? 1)).map { number in
                var replica = entry
                replica.number = number
                replica.port += (number - 1) * Self.portStep
                return replica
            }
        }
    }
}
