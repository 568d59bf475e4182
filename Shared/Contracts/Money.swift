/// An amount in the smallest unit of its currency, such as cents.
public struct Money: Codable, Hashable, Sendable {
    public var amountMinorUnits: Int64
    /// An ISO 4217 code in capitals.
    public var currency: String

    public init(amountMinorUnits: Int64, currency: String) {
        self.amountMinorUnits = amountMinorUnits
        self.currency = currency
    }

    /// The amount without its fraction: 1999 EUR cents are 19.
    public var wholeUnits: Int64 { amountMinorUnits / minorUnitsPerUnit }

    /// Whether the currency has the form of an ISO 4217 code.
    public var hasCurrencyCode: Bool {
        currency.utf8.count == 3 && currency.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }

    /// How many of the smallest unit make one (ISO 4217's exponents that differ from 2).
    private var minorUnitsPerUnit: Int64 {
        switch currency {
        case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
            "XPF":
            1
        case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND": 1000
        default: 100
        }
    }
}

extension Money: CustomStringConvertible {
    /// For people: `19.99 EUR`.
    public var description: String {
        guard minorUnitsPerUnit > 1 else { return "\(amountMinorUnits) \(currency)" }
        let fraction = String(amountMinorUnits.magnitude % UInt64(minorUnitsPerUnit))
        let digits = String(minorUnitsPerUnit).count - 1
        let padding = String(repeating: "0", count: digits - fraction.count)
        let sign = amountMinorUnits < 0 ? "-" : ""
        return "\(sign)\(amountMinorUnits.magnitude / UInt64(minorUnitsPerUnit)).\(padding)\(fraction) \(currency)"
    }
}
