/// What a file and a database know of a move of data from one to the other. It stands among their migrations, so that versions
/// of the program that know of no such note refuse them as well.
enum MoveNote: Equatable {
    /// In a file: its data goes on elsewhere, in the place that is given in words.
    case moved(id: String, to: String)
    /// In a database: it is to begin with the data of a file, and doesn't have it yet.
    case awaits(id: String, from: String)
    /// In a database: it began with the data of a file.
    case began(id: String)

    /// The note of what has these migrations, if there is one.
    init?(among applied: Set<String>) {
        for name in applied {
            let words = name.split(separator: " ", maxSplits: 3).map(String.init)
            switch (words.first, words.count) {
            case ("moved", 4): self = .moved(id: words[1], to: words[3])
            case ("awaits", 4): self = .awaits(id: words[1], from: words[3])
            case ("began", 3): self = .began(id: words[2])
            default: continue
            }
            return
        }
        return nil
    }

    /// As it stands among the migrations.
    var name: String {
        switch self {
        case .moved(let id, let place): "moved \(id) to \(place)"
        case .awaits(let id, let path): "awaits \(id) from \(path)"
        case .began(let id): "began with \(id)"
        }
    }

    /// What the two have in common.
    var id: String {
        switch self {
        case .moved(let id, _), .awaits(let id, _), .began(let id): id
        }
    }
}
