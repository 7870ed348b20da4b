// Waiting for something that events bring about: nothing here polls or sleeps.

const waiters = new Set()

/** Look again at everything that is waited for; called after each event of any client. */
export const poke = () => {
  for (const waiter of [...waiters]) waiter()
}

/**
 * Resolves with the first truthy result of `check`, which runs now and after each event.
 * @param {() => any} check
 * @param {number} timeoutMs
 * @param {() => string} describe what was seen instead, for the error
 */
export const until = (check, timeoutMs, describe) =>
  new Promise((resolve, reject) => {
    const settle = (finish, value) => {
      waiters.delete(look)
      clearTimeout(timer)
      finish(value)
    }
    const look = () => {
      try {
        const result = check()
        if (result) settle(resolve, result)
      } catch (error) {
        settle(reject, error)
      }
    }
    const timer = setTimeout(
      () => settle(reject, new Error(`timeout after ${timeoutMs} ms: ${describe()}`)),
      timeoutMs
    )
    waiters.add(look)
    look()
  })

/** Everything that happened to one client, in order, and waiting for more of it. */
export class Journal {
  constructor () {
    this.events = []
  }

  add (type, fields = {}) {
    this.events.push({ type, ...fields })
    poke()
  }

  /** The first event from index `since` on that `fits`, with the index after it as `next`. */
  waitFor ({ fits, since = 0, timeoutMs, what }) {
    const find = () => {
      const index = this.events.findIndex((event, at) => at >= since && fits(event))
      return index >= 0 && { ...this.events[index], next: index + 1 }
    }
    const seen = () => JSON.stringify(this.events.slice(since)).slice(0, 2000)
    return until(find, timeoutMs, () => `no ${what} among ${seen()}`)
  }

  /** The same for an event that has `type` and all fields of `match`. */
  wait ({ type, match = {}, since, timeoutMs }) {
    const fits = (event) =>
      event.type === type && Object.entries(match).every(([key, value]) => event[key] === value)
    return this.waitFor({ fits, since, timeoutMs, what: `${type} ${JSON.stringify(match)}` })
  }
}
