// Tells Node what the package of y-websocket 1 does not say: that it is made of modules.

export const load = (url, context, nextLoad) =>
  nextLoad(url, url.includes('/y-websocket-1/src/') ? { ...context, format: 'module' } : context)
