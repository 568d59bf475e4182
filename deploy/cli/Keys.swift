import Foundation
import SystemPackage

/// The secrets of a stack. They are made at its first start, kept in `keys.env` in its data folder, readable by
/// their owner alone, and printed by `shop keys` with `--export` or `--json` alone. The file's form is that of a
/// shell's assignments.
struct Keys: Sendable, Equatable {
    let values: [String: String]

    /// Reads the file, or makes it when it isn't there yet.
    static func loadOrMake(path: String) throws -> Keys {
        if let keys = try load(path: path) {
            return keys
        }
        let keys = make()
        try keys.save(path: path)
        return keys
    }

    static func make() -> Keys {
        Keys(values: [
            // The form that Standard Webhooks gives a symmetric secret.
            "PAYMENT_WEBHOOK_SECRET": "whsec_" + randomBytes(32).base64EncodedString(),
            "AWS_ACCESS_KEY_ID": "SHOP" + randomName(length: 16),
            "AWS_SECRET_ACCESS_KEY": randomBytes(30).base64EncodedString(),
        ])
    }

    init(values: [String: String]) {
        self.values = values
    }

    init(text: String) {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            values[String(parts[0])] = String(parts[1])
        }
        self.values = values
    }

    var text: String {
        let lines = values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }
        return "# The secrets of this shop, made at its first start. Keep them to yourself.\n" + lines.joined()
    }

    /// What `aws` and other clients need to speak to the broker at `endpoint`.
    func variables(endpoint: String) -> [String: String] {
        [
            "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": Addresses.region, "AWS_DEFAULT_REGION": Addresses.region,
            "AWS_ACCESS_KEY_ID": values["AWS_ACCESS_KEY_ID"] ?? "",
            "AWS_SECRET_ACCESS_KEY": values["AWS_SECRET_ACCESS_KEY"] ?? "",
        ]
    }

    /// The same as lines for a shell.
    func exports(endpoint: String) -> [String] {
        // A token of the caller's own account would be sent along with these keys.
        variables(endpoint: endpoint).sorted { $0.key < $1.key }.map { "export \($0)='\($1)'" }
            + ["unset AWS_SESSION_TOKEN"]
    }

    private static func load(path: String) throws -> Keys? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ShopError("\(path) can't be read; check its owner and mode.")
        }
        let keys = Keys(text: text)
        for name in make().values.keys where keys.values[name] == nil {
            throw ShopError("\(path) lacks \(name); remove the file to have new keys made at the next start.")
        }
        return keys
    }

    /// Written next to its place and moved there, so that a start that was killed leaves no half of a file.
    private func save(path: String) throws {
        let draft = path + ".new"
        let file = try FileDescriptor.open(
            FilePath(draft), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        try file.closeAfter {
            _ = try file.writeAll(text.utf8)
            fsync(file.rawValue)
        }
        guard rename(draft, path) == 0 else {
            throw ShopError("\(path) can't be written: \(String(cString: strerror(errno))).")
        }
    }

    private static func randomBytes(_ count: Int) -> Data {
        Data((0..<count).map { _ in UInt8.random(in: .min ... .max) })
    }

    private static func randomName(length: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        return String((0..<length).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }
}
