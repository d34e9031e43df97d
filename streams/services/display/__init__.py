"""Display: pictures as pages and sheets show them."""
