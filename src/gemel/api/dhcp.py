"""REST: what is done to a DHCP lease. The leases themselves are the fact *dhcp-leases*."""

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.asking import SessionOf, answered
from gemel.api.replies import errors
from gemel.control import agent
from gemel.control.door import Ask


class LeaseOf(BaseModel):
    """The lease of an address."""

    address: str = Field(max_length=64, examples=["192.168.1.100"])


class Sleeper(BaseModel):
    """A network card on an interface (id)."""

    interface: str = Field(max_length=40, examples=["lan"])
    mac: str = Field(max_length=17, examples=["00:1b:44:11:3a:b7"])


def add_dhcp(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    """Give the application these routes."""

    @api.post("/dhcp/leases/delete", tags=["DHCP"], operation_id="delete_lease", response_model=None, status_code=204,
              responses=errors(409, 422), summary="Delete a lease, on both nodes.")  # fmt: skip
    async def delete(request: Request, lease: LeaseOf) -> Response:
        asked = agent.ForgetLease(lease.address, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/dhcp/wake", tags=["DHCP"], operation_id="wake", response_model=None, status_code=204,
              responses=errors(409, 422), summary="Send a magic packet for a MAC (wake on LAN).")  # fmt: skip
    async def wake(request: Request, sleeper: Sleeper) -> Response:
        asked = agent.WakeOnLan(sleeper.interface, sleeper.mac, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))
