// Times in milliseconds, counted in classes: 0.02 ms wide up to 100 ms, 1 ms wide above.

const FINE_PER_MS = 50
const FINE_MS = 100
const FINE = FINE_MS * FINE_PER_MS
const CLASSES = FINE + 120_000

export class Histogram {
  constructor () {
    this.counts = new Uint32Array(CLASSES)
    this.count = 0
    this.max = 0
  }

  add (ms) {
    const place = ms < FINE_MS ? (ms * FINE_PER_MS) | 0 : FINE + ((ms - FINE_MS) | 0)
    this.counts[place < 0 ? 0 : place < CLASSES ? place : CLASSES - 1]++
    this.count++
    if (ms > this.max) this.max = ms
  }

  quantile (share) {
    let left = Math.ceil(share * this.count)
    for (let place = 0; place < CLASSES; place++) {
      left -= this.counts[place]
      if (left <= 0 && this.count) {
        return place < FINE ? (place + 0.5) / FINE_PER_MS : FINE_MS + place - FINE + 0.5
      }
    }
    return null
  }

  summary () {
    return {
      count: this.count,
      p50: this.quantile(0.5),
      p95: this.quantile(0.95),
      p99: this.quantile(0.99),
      max: this.count ? this.max : null
    }
  }
}
