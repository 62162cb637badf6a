export default function (
