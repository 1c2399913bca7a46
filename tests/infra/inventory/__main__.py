from tests.infra.inventory.listing import write

write()
