public import Foundation
import Telemetry

/// How the shop's HTTP bodies are written and read: dates in RFC 3339 with milliseconds, members sorted, so that the
/// same answer is the same bytes each time.
public enum ShopJSON {
    /// A new encoder.
    public static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.rfc3339)
        }
        return encoder
    }

    /// A new decoder. Dates may have fractions of a second or not.
    public static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            for includingFractionalSeconds in [true, false] {
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: includingFractionalSeconds)
                if let date = try? style.parse(text) { return date }
            }
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "must be a time like 2026-01-31T12:00:00.000Z")
        }
        return decoder
    }
}
