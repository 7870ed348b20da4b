// Hocuspocus as its documentation starts it with SQLite: documents are saved some seconds after a change.
import { Server } from '@hocuspocus/server'
import { SQLite } from '@hocuspocus/extension-sqlite'

const database = process.env.DATABASE
await new Server({
  port: Number(process.env.PORT),
  address: '127.0.0.1',
  quiet: true,
  extensions: [new SQLite({ database })]
}).listen()
