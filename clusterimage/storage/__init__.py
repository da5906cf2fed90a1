"""What lies on a disk: files that appear whole, trees and their manifests, archives, compression."""
