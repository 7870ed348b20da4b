export default function Room({ id }: { id: string }) {
  return <p>{id}</p>
}
